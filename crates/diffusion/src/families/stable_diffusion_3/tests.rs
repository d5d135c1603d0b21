//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/sd3.py`).

use super::*;
use crate::weights::load_options::LoadOptions;
use candle_core::DType;
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
    let folder = Path::new(FIXTURES).join("tiny-sd3");
    let model = StableDiffusion3::load_with(
        &ModelSource::Folder(folder),
        &LoadOptions::new(&Device::Cpu, DType::F32),
    )
    .unwrap();
    let file = Path::new(FIXTURES).join("sd3/values.safetensors");
    let values: HashMap<String, Tensor> = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let long = "the starry garden of monstera leaves ".repeat(16) + "end";
    let man = "a portrait of a bearded man, by Vincent van Gogh";
    for (k, text) in ["", man, &long].into_iter().enumerate() {
        let (tokenizer, _) = model.text.t5.as_ref().unwrap();
        let expected: Vec<i64> = values[&format!("text.{k}.input_ids_3")].to_vec1().unwrap();
        assert!(tokenizer.encode(text).unwrap().into_iter().map(i64::from).eq(expected), "text {k}");
        let found = model.text.prompt(text, 0, &mut |_| ()).unwrap();
        let pooled = found.pooled.unwrap().squeeze(0).unwrap();
        assert!(distance(&pooled, &values[&format!("text.{k}.pooled")]) < 1e-4, "text {k}");
        let sequence = found.sequence.squeeze(0).unwrap();
        let rows: Vec<u32> = (0..sequence.dim(0).unwrap() as u32).step_by(7).collect();
        let sequence = sequence.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap();
        let off = distance(&sequence, &values[&format!("text.{k}.sequence")]);
        assert!(off < 1e-4, "text {k}: {off}");
    }
    let timesteps: Vec<f32> = values["timesteps"].to_vec1().unwrap();
    let pooled = values["pooled"].unsqueeze(1).unwrap();
    let (latents, text) = (&values["latents"], values["text"].clone());
    let inputs = Inputs { latents, timesteps: &timesteps, text, pooled };
    let found = model.transformer.forward(&[inputs]).unwrap().remove(0);
    let off = distance(&found, &values["out"]);
    assert!(off < 1e-4, "{off}");
}
