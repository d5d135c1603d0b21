//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/chroma.py`).

use super::*;
use crate::families::test_values::{distance, texts, tiny, values};

#[test]
fn prompts_and_the_transformer_match_diffusers() {
    let (source, options) = tiny("tiny-chroma");
    let model = Chroma::load_with(&source, &options).unwrap();
    let values = values("chroma");
    for (k, text) in texts().iter().enumerate() {
        let found = model.text.prompt(text, 0, &mut |_| ()).unwrap().sequence.squeeze(0).unwrap();
        let off = distance(&found, &values[&format!("text.{k}.sequence")]);
        assert!(off < 1e-4, "text {k}: {off}");
    }
    // Two rows with all tokens, and one with eleven, which diffusers computes with a mask.
    let of = |name: &str, row, count| values[name].narrow(0, row, count).unwrap();
    let timesteps = values["timesteps"].to_vec1::<f32>().unwrap();
    let latents = [of("latents", 0, 2), of("latents", 2, 1)];
    let texts = [of("text", 0, 2), of("text", 2, 1).narrow(1, 0, 11).unwrap()];
    let inputs = |at: usize, timesteps| Inputs {
        latents: &latents[at],
        timesteps,
        guidance_scales: &[],
        text: &texts[at],
        pooled: None,
    };
    let found = model.transformer.forward(&[inputs(0, &timesteps[..2]), inputs(1, &timesteps[2..])]).unwrap();
    let off = distance(&Tensor::cat(&found, 0).unwrap(), &values["out"]);
    assert!(off < 1e-4, "{off}");
}
