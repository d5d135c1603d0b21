//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/flux2.py`).

use super::*;
use crate::weights::load_options::LoadOptions;
use candle_core::{DType, Device};
use std::collections::HashMap;
use std::path::Path;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

/// The largest difference.
fn distance(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn prompts_and_the_transformer_match_diffusers() {
    let folder = Path::new(FIXTURES).join("tiny-flux2");
    let model =
        Flux2::load_with(&ModelSource::Folder(folder), &LoadOptions::new(&Device::Cpu, DType::F32)).unwrap();
    let file = Path::new(FIXTURES).join("flux2/values.safetensors");
    let values: HashMap<String, Tensor> = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let long = "the starry garden of monstera leaves ".repeat(16) + "end";
    let man = "a portrait of a bearded man, by Vincent van Gogh";
    for (k, text) in ["", man, &long].into_iter().enumerate() {
        let found = model.text.prompt(text, 0, &mut |_| ()).unwrap().sequence.squeeze(0).unwrap();
        let rows: Vec<u32> = (0..TOKENS as u32).step_by(16).collect();
        let found = found.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap();
        let off = distance(&found, &values[&format!("text.{k}.sequence")]);
        assert!(off < 1e-3, "text {k}: {off}");
    }
    let timesteps: Vec<f32> = values["timesteps"].to_vec1().unwrap();
    let found = model.transformer.forward(&values["latents"], &timesteps, &values["text"]).unwrap();
    let off = distance(&found, &values["out"]);
    assert!(off < 1e-4, "{off}");
}
