//! The tokenizer against transformers, for both forms of its files.

use candle_core::{DType, Device, Tensor};
use maquette_diffusion::{ModelSource, StableDiffusion, Tokenizer};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn tokenizer(name: &str) -> Tokenizer {
    StableDiffusion::load(&ModelSource::Folder(fixture(name)), &Device::Cpu, DType::F32).unwrap().tokenizer
}

#[test]
fn ids_match_transformers() {
    let cases: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture("cases.json")).unwrap()).unwrap();
    let texts = cases["texts"].as_array().unwrap();
    assert!(!texts.is_empty());
    for name in ["tiny-a", "tiny-b", "tiny-sd2"] {
        let tokenizer = tokenizer(name);
        let reference =
            candle_core::safetensors::load(fixture(&format!("{name}.safetensors")), &Device::Cpu).unwrap();
        for (k, text) in texts.iter().enumerate() {
            // The fixtures of the later models have only some texts.
            let Some(expected) = reference.get(&format!("text.{k}.input_ids")) else {
                assert!(name == "tiny-sd2" && ![1, 2, 3].contains(&k));
                continue;
            };
            let expected: Vec<i64> = Tensor::to_vec1(expected).unwrap();
            let found = tokenizer.encode(text.as_str().unwrap()).unwrap();
            let found: Vec<i64> = found.ids.into_iter().map(i64::from).collect();
            assert_eq!(found, expected, "{name}: {text}");
        }
    }
}

#[test]
fn a_prompt_that_fits_is_padded() {
    for (name, pad) in [("tiny-a", "<|endoftext|>"), ("tiny-b", "!"), ("tiny-sd2", "!")] {
        let tokenizer = tokenizer(name);
        let empty = tokenizer.encode("").unwrap();
        assert_eq!((empty.ids.len(), &empty.cut), (77, &None));
        // The pad token, written out, is one word more.
        let one = tokenizer.encode(pad).unwrap();
        assert_eq!(one.ids[1], *empty.ids.last().unwrap(), "{name}");
        assert!(empty.ids[2..].iter().all(|&id| id == one.ids[1]), "{name}");
    }
}

#[test]
fn a_prompt_that_is_too_long_is_truncated() {
    for name in ["tiny-a", "tiny-b"] {
        let tokenizer = tokenizer(name);
        // Each `a` is one word, and there is room for 75.
        let fits = ["a"; 75].join(" ");
        let full = tokenizer.encode(&fits).unwrap();
        assert_eq!(full.cut, None);
        for end in ["ü", "日本語", "b c  d"] {
            let cut = tokenizer.encode(&format!("{fits}   {end} ")).unwrap();
            assert_eq!(cut.ids, full.ids, "{name}");
            assert_eq!(cut.cut.as_deref(), Some(end), "{name}");
        }
    }
}

#[test]
fn case_and_spaces_do_not_matter() {
    for name in ["tiny-a", "tiny-b"] {
        let tokenizer = tokenizer(name);
        let expected = tokenizer.encode("a red hat").unwrap();
        for same in ["A  Red\tHAT", " a red\n\nhat ", "a red\u{3000}hat"] {
            assert_eq!(tokenizer.encode(same).unwrap(), expected, "{name}: {same:?}");
        }
        // A precomposed letter, or letter and accent: the same after composition.
        assert_eq!(tokenizer.encode("e\u{301}").unwrap(), tokenizer.encode("é").unwrap());
    }
}
