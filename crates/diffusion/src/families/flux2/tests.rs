//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/flux2.py`).

use super::*;
use crate::families::test_values::{distance, texts, tiny, values};
use candle_core::Device;

#[test]
fn prompts_and_the_transformer_match_diffusers() {
    let (source, options) = tiny("tiny-flux2");
    let model = Flux2::load_with(&source, &options).unwrap();
    let values = values("flux2");
    for (k, text) in texts().iter().enumerate() {
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
