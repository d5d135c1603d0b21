//! Prompts and the transformer of a tiny model against diffusers (`tests/fixtures/qwen_image.py`).

use super::*;
use crate::families::test_values::{distance, texts, tiny, values};
use candle_core::Device;

#[test]
fn prompts_and_the_transformer_match_diffusers() {
    let (source, options) = tiny("tiny-qwen-image");
    let model = QwenImage::load_with(&source, &options).unwrap();
    let values = values("qwen-image");
    let last = "  CAFE\u{301} à la MODE… 東京 <|im_end|>".to_owned();
    for (k, text) in texts().iter().chain([&last]).enumerate() {
        let ids: Vec<i64> = values[&format!("text.{k}.input_ids")].to_vec1().unwrap();
        let found = model.text.tokenizer.encode(text).unwrap();
        assert_eq!(found.ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>(), ids, "text {k}");
        let sequence = model.text.prompt(text, 0, &mut |_| ()).unwrap().sequence.squeeze(0).unwrap();
        let every = if k == 2 { 8 } else { 1 };
        let rows: Vec<u32> = (0..sequence.dim(0).unwrap() as u32).step_by(every).collect();
        let sequence = sequence.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap();
        let off = distance(&sequence, &values[&format!("text.{k}.sequence")]);
        assert!(off < 1e-4, "text {k}: {off}");
    }
    let inputs = Inputs {
        latents: &values["latents"],
        timesteps: &values["timesteps"].to_vec1::<f32>().unwrap(),
        text: &values["text"],
    };
    let found = model.transformer.forward(&[inputs]).unwrap().remove(0);
    let off = distance(&found, &values["out"]);
    assert!(off < 1e-4, "{off}");
}
