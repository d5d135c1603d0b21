//! A tiny transformer like Cosmos-Predict2's against diffusers (`tests/fixtures/anima.py`).

use super::*;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use crate::weights::tensors::WeightFile;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

fn load(changed: &[(&'static str, Value)]) -> std::result::Result<CosmosTransformer, ModelError> {
    let source = ModelSource::Folder(Path::new(FIXTURES).join("tiny-anima"));
    let mut config = ConfigFile::open(&source, "transformer/config.json").unwrap();
    for (key, value) in changed {
        config = config.with([(*key, value.clone())]);
    }
    let options = LoadOptions::new(&Device::Cpu, DType::F32);
    let stem = "transformer/diffusion_pytorch_model";
    let weights = WeightFile::open(&source, stem, config.file(), &options).unwrap();
    let transformer = CosmosTransformer::load(&config, &weights.root())?;
    weights.all_used(|_| false)?;
    Ok(transformer)
}

/// The largest difference.
fn distance(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

/// Rows with their own times, together and alone.
#[test]
fn it_matches_diffusers() {
    let transformer = load(&[]).unwrap();
    let file = Path::new(FIXTURES).join("anima/values.safetensors");
    let values: HashMap<String, Tensor> = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let (latents, text) = (&values["latents"], &values["text"]);
    let times: Vec<f32> = values["times"].to_vec1().unwrap();
    let found = transformer.forward(latents, &times, text).unwrap();
    let off = distance(&found, &values["out"]);
    assert!(off < 1e-4, "{off}");
    for row in 0..times.len() {
        let one = |x: &Tensor| x.narrow(0, row, 1).unwrap().contiguous().unwrap();
        let alone = transformer.forward(&one(latents), &times[row..=row], &one(text)).unwrap();
        assert_eq!(distance(&alone, &one(&found)), 0.0, "row {row}");
    }
    let large = Tensor::zeros((1, 16, 2, 2 * 129), DType::F32, &Device::Cpu).unwrap();
    let text = text.narrow(0, 0, 1).unwrap();
    let error = transformer.forward(&large, &[0.5], &text).unwrap_err().to_string();
    assert!(error.contains("the picture has 1 x 129 patches; the model has 128 positions"), "{error}");
}

#[test]
fn unsupported_configurations_are_refused() {
    let check = |key: &'static str, value: Value, expected: &str| {
        let error = load(&[(key, value)]).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("_class_name", json!("CosmosTransformer2DModel"), "`_class_name` is");
    check("extra_pos_embed_type", json!("learnable"), "Supported: null, as in Cosmos-Predict2");
    check("use_crossattn_projection", json!(true), "`use_crossattn_projection` is true");
    check("img_context_dim_in", json!(1152), "`img_context_dim_in` is 1152");
    check("patch_size", json!([1, 4, 4]), "Supported: [1, 2, 2]");
    check("rope_scale", json!([1.0, 4.0]), "a list of three numbers above 0");
    check("out_channels", json!(8), "Supported: 16, the in_channels");
    check("attention_head_dim", json!(8), "an even number from 12 on");
}
