//! Runs of diffusers with models that predict flow: their pictures, and rows that do not affect each other.

use crate::cases::{Case, Difference, cell, difference, fixtures, named, render};
use crate::composed::{composed, engine_of};
use maquette_core::{Cell, Lora, Settings};
use maquette_diffusion::{DeviceName, Engine};
use serde::Deserialize;
use tempfile::TempDir;

/// The same as for pictures of other models.
pub const HANDFUL: usize = 10;

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
        let file = || named(&fixtures().join(format!("z-image/{lora}.safetensors")));
        let lora = self.lora.map(|weight| Lora { file: file(), weight, text_weight: weight });
        cell(Settings { shift, lora: lora.into_iter().collect(), ..self.case.cell().settings })
    }

    /// Its model, whose folder must outlive the engine.
    pub fn engine(&self) -> (TempDir, Engine) {
        let mut folders = vec![self.case.model.as_str()];
        folders.extend(self.is_overlaid().then_some("z-image/dynamic"));
        let model = composed(&folders);
        if self.without_t5 {
            std::fs::remove_dir_all(model.path().join("text_encoder_3")).unwrap();
        }
        let engine = engine_of(DeviceName::Cpu, model.path());
        (model, engine)
    }

    /// Whether its model has another scheduler than its folder.
    fn is_overlaid(&self) -> bool {
        self.dynamic && self.case.model == "tiny-z-image"
    }

    /// Whether its model is the folder as it is.
    fn is_plain(&self) -> bool {
        !self.is_overlaid() && !self.without_t5
    }
}

pub fn pictures_match(cases: &[FlowCase]) {
    let mut wrong = Vec::new();
    for case in cases {
        let (cell, (_model, mut engine)) = (case.cell(), case.engine());
        match &render(&mut engine, std::slice::from_ref(&cell))[&cell.id] {
            Err(error) => wrong.push(format!("{}: {error}", case.case.name)),
            Ok(image) => {
                let difference = difference(image, &case.case.expected());
                let Difference { largest, count, .. } = difference;
                if largest > 1 || count > HANDFUL {
                    wrong.push(format!("{}: {difference:?}", case.case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub fn rows_are_independent(cases: Vec<FlowCase>) {
    let cases: Vec<FlowCase> = cases.into_iter().filter(FlowCase::is_plain).collect();
    let cells: Vec<Cell> = cases.iter().map(FlowCase::cell).collect();
    let (_model, mut engine) = cases[0].engine();
    let together = render(&mut engine, &cells);
    for (case, cell) in cases.iter().zip(&cells) {
        let alone = render(&mut case.engine().1, std::slice::from_ref(cell));
        assert!(alone[&cell.id].is_ok());
        assert_eq!(alone[&cell.id], together[&cell.id], "{}", case.case.name);
    }
}
