//! Runs of diffusers with models that predict flow, as cells.

use crate::cases::{Case, cell, fixtures, named};
use crate::composed::{composed, engine_of};
use maquette_core::{Cell, Lora, Settings};
use maquette_diffusion::{DeviceName, Engine};
use serde::Deserialize;
use tempfile::TempDir;

/// A run of diffusers.
#[derive(Deserialize)]
pub struct FlowCase {
    #[serde(flatten)]
    pub case: Case,
    shift: Option<f64>,
    /// Whether the shift depends on the size.
    #[serde(default)]
    pub dynamic: bool,
    /// The weight of the LoRA.
    #[serde(default)]
    pub lora: Option<f64>,
    /// Of FLUX.1.
    #[serde(default)]
    true_cfg_scale: Option<f64>,
    /// Parts that its model has in place of those of its folder.
    #[serde(default)]
    overlay: Option<String>,
    /// Whether the third text encoder is left out.
    #[serde(default)]
    pub without_t5: bool,
}

/// The cases of a file among the fixtures.
pub fn cases_in(file: &str) -> Vec<FlowCase> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<FlowCase>,
    }
    let text = std::fs::read_to_string(fixtures().join(file)).unwrap();
    serde_json::from_str::<File>(&text).unwrap().cases
}

impl FlowCase {
    pub fn cell(&self) -> Cell {
        self.cell_with("lora-diffusers")
    }

    /// The cell with its LoRA in one of the files.
    pub fn cell_with(&self, lora: &str) -> Cell {
        let shift = self.shift.or((!self.dynamic).then_some(3.0));
        let folder = self.case.model.trim_start_matches("tiny-");
        let file = || named(&fixtures().join(format!("{folder}/{lora}.safetensors")));
        let lora = self.lora.map(|weight| Lora { file: file(), weight, text_weight: weight });
        let (lora, true_cfg_scale) = (lora.into_iter().collect(), self.true_cfg_scale);
        cell(Settings { shift, lora, true_cfg_scale, ..self.case.cell().settings })
    }

    /// The cells with its LoRA in each of the files beside the case.
    pub fn cells_with_lora(&self) -> Vec<Cell> {
        let folder = fixtures().join(self.case.model.trim_start_matches("tiny-"));
        let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut forms: Vec<String> = names
            .filter_map(|name| Some(name.strip_suffix(".safetensors")?.to_owned()))
            .filter(|name| name.starts_with("lora-"))
            .collect();
        forms.sort();
        forms.iter().map(|form| self.cell_with(form)).collect()
    }

    /// Its model, whose folder must outlive the engine.
    pub fn engine(&self, device: DeviceName) -> (TempDir, Engine) {
        let mut folders = vec![self.case.model.as_str()];
        folders.extend(self.overlay());
        let model = composed(&folders);
        if self.without_t5 {
            std::fs::remove_dir_all(model.path().join("text_encoder_3")).unwrap();
        }
        let engine = engine_of(device, model.path());
        (model, engine)
    }

    /// The folder with other parts than its model's.
    fn overlay(&self) -> Option<&str> {
        let other_scheduler = self.dynamic && self.case.model == "tiny-z-image";
        other_scheduler.then_some("z-image/dynamic").or(self.overlay.as_deref())
    }

    /// Whether its model is the folder as it is.
    pub fn is_plain(&self) -> bool {
        self.overlay().is_none() && !self.without_t5
    }
}
