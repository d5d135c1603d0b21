//! Prompts of a tiny model against diffusers (`tests/fixtures/anima.py`), and parts that must match each other.

use super::*;
use crate::families::test_values::{distance, fixture, texts, tiny, values};
use serde_json::Value;

#[test]
fn prompts_match_diffusers() {
    let (source, options) = tiny("tiny-anima");
    let model = Anima::load_with(&source, &options).unwrap();
    let values = values("anima");
    for (k, text) in texts().iter().enumerate() {
        let mut warnings = Vec::new();
        let found = model.text.prompt(text, 0, &mut |warning| warnings.push(warning)).unwrap().sequence;
        let (found, expected) = (found.squeeze(0).unwrap(), &values[&format!("text.{k}.sequence")]);
        let (length, own) = (found.dim(0).unwrap(), expected.dim(0).unwrap());
        assert_eq!(length, TOKENS);
        let off = distance(&found.narrow(0, 0, own).unwrap(), expected);
        assert!(off < 1e-4, "text {k}: {off}");
        let rest = found.narrow(0, own, length - own).unwrap().abs().unwrap().sum_all().unwrap();
        assert_eq!(rest.to_scalar::<f32>().unwrap(), 0.0, "text {k}");
        assert_eq!(warnings.len(), usize::from(k == 2), "{warnings:?}");
    }
}

#[test]
fn parts_must_match_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let check = |part: &str, key: &str, value: Value, expected: &str| {
        for entry in ["text_encoder", "text_conditioner", "transformer", "vae"] {
            let file = format!("{entry}/config.json");
            let mut config: Value =
                serde_json::from_slice(&std::fs::read(fixture("tiny-anima").join(&file)).unwrap()).unwrap();
            if entry == part {
                config[key] = value.clone();
            }
            std::fs::create_dir_all(folder.path().join(entry)).unwrap();
            std::fs::write(folder.path().join(file), config.to_string()).unwrap();
        }
        let source = ModelSource::Folder(folder.path().to_owned());
        let error = Anima::card(&source, || unreachable!()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        "text_encoder",
        "hidden_size",
        32.into(),
        "`source_dim` is 24, which is not supported. Supported: 32",
    );
    check("text_conditioner", "target_dim", 32.into(), "`text_embed_dim` is 24");
    check("text_conditioner", "min_sequence_length", 77.into(), "`min_sequence_length` is 77");
    check("text_conditioner", "use_layer_norm", true.into(), "`use_layer_norm` is true");
    check("text_conditioner", "num_attention_heads", 3.into(), "`num_attention_heads` is 3");
    check("vae", "z_dim", 8.into(), "`in_channels` is 16, which is not supported. Supported: 8");
    check("transformer", "in_channels", 8.into(), "`out_channels` is 16");
}
