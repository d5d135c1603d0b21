//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/flux1.py`).

use super::*;
use crate::families::test_values::{distance, texts, tiny, values};
use candle_core::Device;

#[test]
fn prompts_and_the_transformer_match_diffusers() {
    let (source, options) = tiny("tiny-flux1");
    let model = Flux1::load_with(&source, &options).unwrap();
    let values = values("flux1");
    for (k, text) in texts().iter().enumerate() {
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
