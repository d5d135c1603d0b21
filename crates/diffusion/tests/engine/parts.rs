//! Models with other parts than Stable Diffusion's own: tiny autoencoders, UNets of other shapes, latent consistency
//! models, inpainting with SDXL. Pictures against diffusers, and rows that do not affect each other.

use crate::cases::{Case, Difference, cell, difference, engine, fixtures, named, render};
use crate::composed::{composed, engine_of};
use maquette_core::{Cell, CellId, Lora, ModelCard, NamedFile, Settings, test_plans};
use maquette_diffusion::{DeviceName, Engine, SeparateVae};
use serde::Deserialize;
use tempfile::TempDir;

/// The same as for pictures of other models.
const HANDFUL: usize = 10;

/// A run of diffusers with a model that is composed of several folders.
#[derive(Deserialize)]
struct PartCase {
    #[serde(flatten)]
    case: Case,
    folders: Vec<String>,
    vae: Option<String>,
    /// The weight of the LoRA.
    lora: Option<f64>,
}

fn cases() -> Vec<PartCase> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<PartCase>,
    }
    let text = std::fs::read_to_string(fixtures().join("parts/cases.json")).unwrap();
    serde_json::from_str::<File>(&text).unwrap().cases
}

impl PartCase {
    fn cell(&self) -> Cell {
        // A file with its configuration beside it.
        let file = |vae: &String| named(&fixtures().join(vae).join("diffusion_pytorch_model.safetensors"));
        let file_of_lora = || named(&fixtures().join("parts/lcm-lora.safetensors"));
        let lora = self.lora.map(|weight| Lora { file: file_of_lora(), weight, text_weight: weight });
        cell(Settings {
            vae: self.vae.as_ref().map(file),
            lora: lora.into_iter().collect(),
            ..self.case.cell().settings
        })
    }

    /// Its model, whose folder must outlive the engine.
    fn engine(&self) -> (TempDir, Engine) {
        let folders: Vec<&str> = self.folders.iter().map(String::as_str).collect();
        let model = composed(&folders);
        let engine = engine_of(DeviceName::Cpu, model.path());
        (model, engine)
    }
}

fn find(name: &str) -> PartCase {
    cases().into_iter().find(|case| case.case.name == name).unwrap()
}

#[test]
fn pictures_match_diffusers() {
    let mut wrong = Vec::new();
    for case in cases() {
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

/// Cells with another autoencoder than their neighbours' do not affect them, and the model is loaded once.
#[test]
fn the_autoencoder_is_replaced_between_cells() {
    let tiny = find("a-taesd-picture");
    let cells: Vec<Cell> = ["a-taesd-picture", "a-taesd-text", "a-taesd-mask"]
        .map(|name| find(name).cell())
        .into_iter()
        .flat_map(|tiny| [cell(Settings { vae: None, ..tiny.settings.clone() }), tiny])
        .collect();
    let alone: Vec<_> =
        cells.iter().map(|cell| render(&mut tiny.engine().1, std::slice::from_ref(cell))).collect();
    let together = render(&mut engine(DeviceName::Cpu, Some(16)), &cells);
    for (cell, alone) in cells.iter().zip(alone) {
        assert!(together[&cell.id].is_ok());
        assert_eq!(together[&cell.id], alone[&cell.id]);
    }
}

/// With a UNet that takes the guidance scale, every row has its own; a negative prompt has no effect.
#[test]
fn guidance_scales_share_calls_without_affecting_each_other() {
    let case = find("a-lcm");
    let plain = case.cell().settings;
    let card = ModelCard { guidance_embedding: true, ..test_plans::card() };
    let with = |guidance_scale, negative_prompt: &str| {
        let settings = Settings { guidance_scale, negative_prompt: negative_prompt.into(), ..plain.clone() };
        Cell { id: CellId::of(&settings, &card), ..cell(settings) }
    };
    let scales = [0.0, 0.5, 1.0, 8.5].map(|scale| with(scale, ""));
    let (_model, mut engine) = case.engine();
    let together = render(&mut engine, &scales);
    for one in &scales {
        assert_eq!(render(&mut engine, std::slice::from_ref(one))[&one.id], together[&one.id]);
    }
    let pictures: Vec<_> = scales.iter().map(|cell| together[&cell.id].as_ref().unwrap()).collect();
    assert!((1..pictures.len()).all(|i| !pictures[..i].contains(&pictures[i])), "every scale has an effect");
    let negative = with(8.5, "blurry, low quality");
    assert_eq!(render(&mut engine, std::slice::from_ref(&negative))[&negative.id], together[&negative.id]);
}

/// A tiny autoencoder as a folder, as a file with its configuration beside it, alone, and as its authors' two files.
#[test]
fn every_form_of_a_tiny_autoencoder_gives_the_same_picture() {
    let case = find("a-taesd-picture");
    let folder = tempfile::tempdir().unwrap();
    let parts = fixtures().join("parts");
    let alone = folder.path().join("taesd.safetensors");
    std::fs::copy(parts.join("taesd/vae/diffusion_pytorch_model.safetensors"), &alone).unwrap();
    let forms = [
        parts.join("taesd"),
        parts.join("taesd/vae"),
        parts.join("taesd/vae/diffusion_pytorch_model.safetensors"),
        alone,
        parts.join("taesd-original/taesd_decoder.safetensors"),
        parts.join("taesd-original/taesd_encoder.safetensors"),
    ];
    let cells = forms.map(|file| {
        let digest = SeparateVae::digest(&file).unwrap();
        let vae = NamedFile { path: "taesd".into(), file: file.into(), digest };
        cell(Settings { vae: Some(vae), ..case.case.cell().settings })
    });
    // The digest of a folder includes its configuration, and that of two files the order of their tensors.
    assert_eq!(cells[0].id, cells[1].id);
    assert_eq!(cells[2].id, cells[3].id);
    assert_eq!(cells[4].id, cells[5].id);
    for cell in &cells {
        let (_model, mut engine) = case.engine();
        let picture = render(&mut engine, std::slice::from_ref(cell)).remove(&cell.id).unwrap().unwrap();
        let Difference { largest, count, .. } = difference(&picture, &case.case.expected());
        assert!(largest <= 1 && count <= HANDFUL);
    }
    let decoder = folder.path().join("taesd_decoder.safetensors");
    std::fs::copy(parts.join("taesd-original/taesd_decoder.safetensors"), &decoder).unwrap();
    let error = SeparateVae::digest(&decoder).unwrap_err().to_string();
    assert!(error.contains("taesd_encoder.safetensors. A tiny autoencoder is"), "{error}");
}
