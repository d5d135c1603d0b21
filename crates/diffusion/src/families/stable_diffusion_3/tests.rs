//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/sd3.py`).

use super::*;
use crate::families::test_values::{distance, texts, tiny, values};

#[test]
fn prompts_and_the_transformer_match_diffusers() {
    let (source, options) = tiny("tiny-sd3");
    let model = StableDiffusion3::load_with(&source, &options).unwrap();
    let values = values("sd3");
    for (k, text) in texts().iter().enumerate() {
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
