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

/// Words that were added to CLIP's vocabulary, as transformers 4 saved them; one of them has two vectors.
#[test]
fn added_words_match_transformers() {
    #[derive(serde::Deserialize)]
    struct Known {
        texts: Vec<String>,
        ids: std::collections::BTreeMap<String, Vec<Vec<u32>>>,
    }
    let known: Known =
        serde_json::from_slice(&std::fs::read(fixture("readings/words.json")).unwrap()).unwrap();
    assert_eq!(known.ids.len(), 3);
    for (name, expected) in known.ids {
        let folder = tempfile::tempdir().unwrap();
        for part in ["tokenizer", "text_encoder"] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        let vocabulary = serde_json::json!({ "vocab_size": 603 }).to_string();
        std::fs::write(folder.path().join("text_encoder/config.json"), vocabulary).unwrap();
        for from in [fixture("tiny-a/tokenizer"), fixture("readings").join(&name).join("tokenizer")] {
            for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
                std::fs::copy(file.path(), folder.path().join("tokenizer").join(file.file_name())).unwrap();
            }
        }
        let tokenizer =
            maquette_diffusion::tokenizer(&ModelSource::Folder(folder.path().to_owned())).unwrap();
        for (text, expected) in known.texts.iter().zip(expected) {
            assert_eq!(tokenizer.encode(text).unwrap().ids, expected, "{name}: {text}");
        }
    }
}

/// A word without an embedding is an error where it is used, and nowhere else.
#[test]
fn an_added_word_without_an_embedding_is_refused_in_prompts_only() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(to("tokenizer")).unwrap();
    std::fs::create_dir_all(to("text_encoder")).unwrap();
    std::fs::copy(fixture("tiny-a/text_encoder/config.json"), to("text_encoder/config.json")).unwrap();
    for file in ["vocab.json", "merges.txt"] {
        std::fs::copy(fixture("tiny-a/tokenizer").join(file), to("tokenizer").join(file)).unwrap();
    }
    std::fs::write(to("tokenizer/added_tokens.json"), r#"{"<hat>": 600}"#).unwrap();
    let tokenizer = maquette_diffusion::tokenizer(&ModelSource::Folder(folder.path().to_owned())).unwrap();
    assert!(tokenizer.encode("a hat").is_ok());
    let message = tokenizer.encode("a <hat>").unwrap_err().to_string();
    let expected = "its token `<hat>` has the id 600, but the text encoder's vocabulary has 600 words";
    assert!(message.contains(expected), "{message}");
}
