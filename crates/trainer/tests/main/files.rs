//! The files of trained weights: what diffusers has read (`tests/fixtures/training_files.py`) is what is written, and our
//! own reader makes the same change of it as the training had.

use crate::jobs::{Prepared, case, fixture, run};
use candle_core::{DType, Device, Tensor};
use maquette_core::{Dialect, Digest, Embedding, Lora, NamedFile};
use maquette_diffusion::{LoadOptions, ModelSource, StableDiffusion, Variables};
use maquette_kernels::{Branch, reference};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The trainings whose files are among the fixtures.
const NAMES: [&str; 6] = ["lora", "lora-all", "lora-v-all", "lora-sdxl", "vectors", "vectors-sdxl"];

/// A short training with a rate that changes pictures visibly: its weights and its state.
fn trained(name: &str) -> (Vec<u8>, Vec<u8>) {
    let mut case = case(name);
    case.settings.steps = 8;
    case.settings.lr_warmup_steps = 0;
    case.settings.learning_rate = if case.settings.method.as_str() == "dreambooth" { 1e-3 } else { 3e-2 };
    case.settings.text_learning_rate = 1e-2;
    let (_, mut report) = run(&Prepared::new(&case).job(None), None).unwrap();
    let (_, weights, state) = report.checkpoints.pop().unwrap();
    (weights, state)
}

fn tensors(bytes: &[u8]) -> HashMap<String, Tensor> {
    candle_core::safetensors::load_buffer(bytes, &Device::Cpu).unwrap()
}

fn distance(found: &Tensor, expected: &Tensor) -> f64 {
    let norm = |t: &Tensor| {
        f64::from(
            t.to_dtype(DType::F32).unwrap().sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(),
        )
        .sqrt()
    };
    norm(&(found - expected).unwrap()) / norm(expected).max(1e-12)
}

#[test]
#[ignore = "writes the files that tests/fixtures/training_files.py reads"]
fn write_the_files() {
    for name in NAMES {
        std::fs::write(fixture(&format!("training/{name}.safetensors")), trained(name).0).unwrap();
    }
}

#[test]
fn the_files_that_diffusers_has_read_are_those_that_are_written() {
    for name in NAMES {
        let expected = std::fs::read(fixture(&format!("training/{name}.safetensors"))).unwrap();
        let found = trained(name).0;
        let header = |bytes: &[u8]| {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            String::from_utf8(bytes[8..8 + length].to_vec()).unwrap()
        };
        assert_eq!(header(&found), header(&expected), "{name}");
        let expected = tensors(&expected);
        for (key, tensor) in tensors(&found) {
            let error = distance(&tensor, &expected[&key]);
            assert!(error < 0.02, "{name}: {key} is off by {error}");
        }
    }
}

fn named(path: &Path) -> NamedFile {
    let digest = Digest::from_bytes([7; 32]);
    NamedFile { path: path.display().to_string().into(), file: path.into(), digest }
}

fn predicted(model: &StableDiffusion) -> (Tensor, Tensor) {
    let numbers = |count: usize| (0..count).map(|i| (0.7 * i as f32).sin()).collect::<Vec<_>>();
    let latents = Tensor::from_vec(numbers(4 * 8 * 8), (1, 4, 8, 8), &Device::Cpu).unwrap();
    let ids = model.tokenizer.encode("portrait of a man").unwrap().ids;
    let text = model.text_encoder.encode(&ids, 0).unwrap();
    (model.unet.forward(&latents, &[500.0], &text).unwrap(), text)
}

#[test]
fn our_reader_makes_the_same_change_of_a_lora_as_the_training_had() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["lora", "lora-all", "lora-v-all"] {
        let (weights, state) = trained(name);
        let file = folder.path().join("trained.safetensors");
        std::fs::write(&file, weights).unwrap();
        let settings = case(name);
        let source = ModelSource::Folder(fixture(&settings.model));
        let options = LoadOptions::new(&Device::Cpu, DType::F32).with_kernels(reference());
        let mut model = StableDiffusion::load_with(&source, &options).unwrap();
        let before = predicted(&model);
        model.set_loras(&[Lora::new(named(&file), 1.0)]).unwrap();
        let found = predicted(&model);

        let state = tensors(&state);
        model.set_loras(&[]).unwrap();
        let scale = settings.settings.alpha / f64::from(settings.settings.rank);
        let mut trained = 0;
        for (layer, target) in model.layers() {
            let factor = |which: &str| state.get(&format!("parameter.{layer}.{which}")).cloned();
            let (Some(down), Some(up)) = (factor("lora_down"), factor("lora_up")) else { continue };
            target.weight.set_branches(vec![Branch { down, up, scale }]);
            trained += 1;
        }
        let expected = predicted(&model);
        assert!(trained > 20, "{trained} layers");
        assert!(distance(&expected.0, &before.0) > 0.01, "{name}: the training changed nothing");
        for (found, expected) in [(found.0, expected.0), (found.1, expected.1)] {
            let error = distance(&found, &expected);
            assert!(error < 1e-5, "{name}: off by {error}");
        }
    }
}

#[test]
fn the_differences_of_dreambooth_give_the_trained_model() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, state) = trained("dreambooth");
    let file = folder.path().join("trained.safetensors");
    std::fs::write(&file, weights).unwrap();
    let source = ModelSource::Folder(fixture("tiny-a"));
    let variables = Variables::matching(|name| name.starts_with("unet."));
    let options = LoadOptions::new(&Device::Cpu, DType::F32).with_variables(&variables);
    let model = StableDiffusion::load_with(&source, &options).unwrap();
    let before = predicted(&model).0;
    let state = tensors(&state);
    let variables = variables.into_inner();
    let names: BTreeSet<&String> = variables.keys().collect();
    assert!(names.iter().all(|name| state.contains_key(&format!("parameter.{name}"))));
    for (name, variable) in &variables {
        variable.set(&state[&format!("parameter.{name}")]).unwrap();
    }
    let expected = predicted(&model).0;
    assert!(distance(&expected, &before) > 0.01, "the training changed nothing");

    let mut model = StableDiffusion::load(&source, &Device::Cpu, DType::F32).unwrap();
    model.set_loras(&[Lora::new(named(&file), 1.0)]).unwrap();
    let error = distance(&predicted(&model).0, &expected);
    assert!(error < 1e-5, "off by {error}");
}

#[test]
fn our_reader_finds_the_word_and_its_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, state) = trained("vectors");
    let file = folder.path().join("other-name.safetensors");
    std::fs::write(&file, weights).unwrap();
    let source = ModelSource::Folder(fixture("tiny-a"));
    let mut model = StableDiffusion::load(&source, &Device::Cpu, DType::F32).unwrap();
    let inversions =
        model.inversions(&[Embedding { word: None, file: named(&file) }], Dialect::Plain).unwrap();
    assert_eq!(inversions.files().map(|(word, _)| word).collect::<Vec<_>>(), ["<me>"]);
    let vectors = inversions.vectors(0).unwrap();
    assert_eq!(vectors.dims(), [3, 32]);
    assert_eq!(distance(vectors, &tensors(&state)["parameter.text_encoder.vectors"]), 0.0);
}
