//! Models whose files say something unusual, against diffusers (`tests/fixtures/readings.py`): pictures.

use crate::cases::{Case, Difference, difference, fixtures, render};
use crate::checkpoint::{checkpoint, save_with};
use crate::composed::{composed, engine_of};
use crate::copies::{change_tensors, copy_folder};
use crate::float8::cast_to_float8;
use candle_core::Tensor;
use maquette_core::{Cell, PredictionType, Settings};
use maquette_diffusion::{DeviceName, Engine, ModelSource, card};
use safetensors::Dtype;
use serde::Deserialize;
use std::path::Path;

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";
const TEXT: &str = "text_encoder/model.safetensors";
const VAE: &str = "vae/diffusion_pytorch_model.safetensors";

#[derive(Deserialize)]
struct Reading {
    #[serde(flatten)]
    case: Case,
    /// The folder of files that are laid over the tiny model.
    files: String,
    change: Option<String>,
    /// Whether the scheduler is the model's own.
    own: bool,
    changes: Changes,
}

/// Changes to the scheduler's configuration, which are settings here.
#[derive(Deserialize)]
struct Changes {
    prediction_type: Option<PredictionType>,
    rescale_betas_zero_snr: Option<bool>,
}

fn readings() -> Vec<Reading> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Reading>,
    }
    let text = std::fs::read_to_string(fixtures().join("readings/cases.json")).unwrap();
    serde_json::from_str::<File>(&text).unwrap().cases
}

fn change(model: &Path, change: &str) {
    match change {
        "e4m3fn" => {
            [UNET, TEXT, VAE]
                .iter()
                .for_each(|file| cast_to_float8(&model.join(file), Dtype::F8_E4M3, false));
        }
        "e5m2" => {
            [UNET, TEXT, VAE]
                .iter()
                .for_each(|file| cast_to_float8(&model.join(file), Dtype::F8_E5M2, false));
        }
        "without_middle" => change_tensors(&model.join(UNET), |tensors| {
            tensors.retain(|key, _| !key.starts_with("mid_block."));
        }),
        "longer" => {
            let config = model.join("text_encoder/config.json");
            let mut values: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
            values["vocab_size"] = 603.into();
            std::fs::write(config, values.to_string()).unwrap();
            change_tensors(&model.join(TEXT), |tensors| {
                let words = tensors.get_mut("text_model.embeddings.token_embedding.weight").unwrap();
                let more = (words.narrow(0, 0, 3).unwrap() * 1.5).unwrap();
                *words = Tensor::cat(&[&*words, &more], 0).unwrap();
            });
        }
        change => panic!("{change}"),
    }
}

impl Reading {
    fn cell(&self, source: &ModelSource) -> Cell {
        let card = card(source).unwrap();
        assert!(!self.own || card.scheduler == Some(self.case.scheduler), "{:?}", card.scheduler);
        let own = self.case.scheduler.own_spacing();
        let Changes { prediction_type, rescale_betas_zero_snr: zero_snr } = self.changes;
        crate::cases::cell(Settings {
            spacing: own.map(|own| card.spacing.unwrap_or(own)),
            prediction_type: prediction_type.or(card.prediction_type),
            zero_snr: zero_snr.or(card.zero_snr),
            ..self.case.cell().settings
        })
    }

    /// What is wrong with the picture, if anything.
    fn wrong(&self, engine: &mut Engine, cell: &Cell) -> Option<String> {
        let name = &self.case.name;
        match &render(engine, std::slice::from_ref(cell))[&cell.id] {
            Err(error) => Some(format!("{name}: {error}")),
            Ok(image) => {
                let difference = difference(image, &self.case.expected());
                let Difference { largest, count, .. } = difference;
                // A run from a sigma of 4096 is off by one in 13 levels, the others in at most ten.
                (largest > 1 || count > 20).then(|| format!("{name}: {difference:?}"))
            }
        }
    }
}

#[test]
fn pictures_match_diffusers() {
    let mut wrong = Vec::new();
    for reading in readings() {
        let files = format!("readings/{}", reading.files);
        let mut folders = vec![reading.case.model.as_str()];
        folders.extend(Some(files.as_str()).filter(|_| !reading.files.is_empty()));
        let model = composed(&folders);
        if let Some(name) = &reading.change {
            change(model.path(), name);
        }
        let cell = reading.cell(&ModelSource::Folder(model.path().to_owned()));
        wrong.extend(reading.wrong(&mut engine_of(DeviceName::Cpu, model.path()), &cell));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Single files that state what their UNet predicts give the pictures of folders with those settings.
#[test]
fn pictures_of_single_files_match_diffusers() {
    let mut wrong = Vec::new();
    let empty = || Tensor::zeros(0, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    type Stated<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);
    let stated: [Stated; 3] = [
        ("xl-velocity", &["v_pred", "ztsnr"], &[]),
        ("xl-velocity-only", &["v_pred"], &[]),
        ("sd2-epsilon", &[], &[("modelspec.prediction_type", "epsilon")]),
    ];
    for (name, keys, texts) in stated {
        let reading = readings().into_iter().find(|reading| reading.case.name == name).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        let mut tensors = checkpoint(&reading.case.model);
        tensors.extend(keys.iter().map(|key| ((*key).to_owned(), empty())));
        save_with(&tensors, texts, &file);
        // What shapes do not tell, except for the schedule.
        let beside = folder.path().join("model");
        copy_folder(&fixtures().join(&reading.case.model), &beside);
        std::fs::remove_dir_all(beside.join("scheduler")).unwrap();
        let source = ModelSource::at(&file).unwrap();
        let cell = reading.cell(&source);
        let stated = card(&source).unwrap();
        let settings = (cell.settings.prediction_type, cell.settings.zero_snr);
        assert_eq!((stated.prediction_type, stated.zero_snr), settings, "{name}");
        let find = move |_: &str| Ok(ModelSource::at(&file).unwrap());
        let mut engine = Engine::new(DeviceName::Cpu, Box::new(find), None).unwrap();
        // Without the settings: what the file states is enough.
        let plain = Settings { prediction_type: None, zero_snr: None, ..cell.settings };
        wrong.extend(reading.wrong(&mut engine, &crate::cases::cell(plain)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
