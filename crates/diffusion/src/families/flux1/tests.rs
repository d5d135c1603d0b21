//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/flux1.py`).

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
    let folder = Path::new(FIXTURES).join("tiny-flux1");
    let model =
        Flux1::load_with(&ModelSource::Folder(folder), &LoadOptions::new(&Device::Cpu, DType::F32)).unwrap();
    let file = Path::new(FIXTURES).join("flux1/values.safetensors");
    let values: HashMap<String, Tensor> = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let long = "the starry garden of monstera leaves ".repeat(16) + "end";
    let man = "a portrait of a bearded man, by Vincent van Gogh";
    for (k, text) in ["", man, &long].into_iter().enumerate() {
        let found = model.text.prompt(text, 0, &mut |_| ()).unwrap();
        let pooled = found.pooled.unwrap().squeeze(0).unwrap();
        assert!(distance(&pooled, &values[&format!("text.{k}.pooled")]) < 1e-4, "text {k}");
        let sequence = found.sequence.squeeze(0).unwrap();
        let rows: Vec<u32> = (0..sequence.dim(0).unwrap() as u32).step_by(7).collect();
        let sequence = sequence.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap();
        let off = distance(&sequence, &values[&format!("text.{k}.sequence")]);
        assert!(off < 1e-4, "text {k}: {off}");
    }
    let inputs = Inputs {
        latents: &values["latents"],
        timesteps: &values["timesteps"].to_vec1::<f32>().unwrap(),
        guidance_scales: &[3.5, 1.0, 7.25],
        text: &values["text"],
        pooled: Some(&values["pooled"].unsqueeze(1).unwrap()),
    };
    let found = model.transformer.forward(&[inputs]).unwrap().remove(0);
    let off = distance(&found, &values["out"]);
    assert!(off < 1e-4, "{off}");
}
