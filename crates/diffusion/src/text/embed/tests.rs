//! Embeddings of weighted and long texts against an independent implementation (`tests/fixtures/dialect.py`).

use super::embed;
use crate::families::stable_diffusion::StableDiffusion;
use crate::text::inversions::Inversions;
use crate::weights::source::ModelSource;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// Relative to the largest value. Most are within 1e-5; where the restored mean is nearly 0, rounding matters more.
const BOUND: f32 = 1e-4;

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    clip_skip: usize,
    texts: Vec<String>,
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn model(name: &str) -> StableDiffusion {
    StableDiffusion::load(&ModelSource::Folder(fixture(name)), &Device::Cpu, DType::F32).unwrap()
}

fn embedded(model: &StableDiffusion, texts: &[impl AsRef<str>], clip_skip: usize) -> Vec<Tensor> {
    embed(&model.tokenizer, &Inversions::default(), texts, |ids| model.text_encoder.encode(ids, clip_skip))
        .unwrap()
}

fn largest(tensor: &Tensor) -> f32 {
    tensor.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn embeddings_match_the_reference() {
    #[derive(Deserialize)]
    struct File {
        texts: Vec<Case>,
    }
    let File { texts: cases } =
        serde_json::from_slice(&std::fs::read(fixture("dialect.json")).unwrap()).unwrap();
    let expected = candle_core::safetensors::load(fixture("dialect.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(cases.len(), expected.len());
    let mut models: HashMap<&str, StableDiffusion> = HashMap::new();
    let mut wrong = Vec::new();
    for Case { name, model: of, clip_skip, texts } in &cases {
        let model = models.entry(of).or_insert_with(|| model(of));
        let found = Tensor::cat(&embedded(model, texts, *clip_skip), 0).unwrap();
        // The fixture has every fourth channel.
        let channels: Vec<u32> = (0..found.dims()[2] as u32).step_by(4).collect();
        let found = found.index_select(&Tensor::new(channels, &Device::Cpu).unwrap(), 2).unwrap();
        let expected = &expected[name];
        if found.dims() != expected.dims() {
            wrong.push(format!("{name}: {:?} instead of {:?}", found.dims(), expected.dims()));
            continue;
        }
        let error = largest(&(&found - expected).unwrap()) / largest(expected);
        if error.is_nan() || error > BOUND {
            wrong.push(format!("{name}: off by {error:e}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_short_text_without_syntax_matches_the_plain_dialect() {
    for name in ["tiny-a", "tiny-b"] {
        let model = model(name);
        let text = "a portrait of a bearded man, by Vincent van Gogh";
        let tokens = model.tokenizer.encode(text).unwrap();
        let plain = model.text_encoder.encode(&tokens.ids, 0).unwrap();
        let bits = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(bits(&embedded(&model, &[text], 0)[0]), bits(&plain), "{name}");
    }
}
