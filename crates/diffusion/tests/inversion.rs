//! Textual inversions against diffusers: ids and embeddings; all supported formats, and files that do not fit.
//!
//! Whole pictures are in `engine/added.rs`. The fixtures are in `tests/fixtures/embeddings`.

use candle_core::{DType, Device, Tensor};
use maquette_core::{Dialect, Digest, Embedding, NamedFile};
use maquette_diffusion::{InversionError, Inversions, ModelSource, StableDiffusion};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    prompt: String,
    negative_prompt: String,
    files: Vec<(String, Option<String>)>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn load(name: &str) -> StableDiffusion {
    StableDiffusion::load(&ModelSource::Folder(fixture(name)), &Device::Cpu, DType::F32).unwrap()
}

fn embedding(file: &Path, word: Option<&str>) -> Embedding {
    let digest = Digest::of(&std::fs::read(file).unwrap_or_default());
    let path = file.display().to_string().into();
    Embedding { word: word.map(Into::into), file: NamedFile { path, file: file.into(), digest } }
}

fn inversions(
    model: &mut StableDiffusion,
    files: &[(&str, Option<&str>)],
) -> Result<Inversions, InversionError> {
    let list: Vec<_> =
        files.iter().map(|(file, word)| embedding(&fixture("embeddings").join(file), *word)).collect();
    model.inversions(&list, Dialect::Plain)
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn words_match_diffusers() {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    let text = std::fs::read_to_string(fixture("embeddings/cases.json")).unwrap();
    let expected =
        candle_core::safetensors::load(fixture("embeddings/expected.safetensors"), &Device::Cpu).unwrap();
    let cases = serde_json::from_str::<File>(&text).unwrap().cases;
    // SDXL's two text encoders are tested with whole pictures.
    for case in cases.into_iter().filter(|case| case.model != "tiny-sdxl") {
        let mut model = load(&case.model);
        let files: Vec<_> = case.files.iter().map(|(file, word)| (file.as_str(), word.as_deref())).collect();
        let inversions = inversions(&mut model, &files).unwrap();
        for (key, text) in [("prompt", &case.prompt), ("negative_prompt", &case.negative_prompt)] {
            let tokens = model.tokenizer.encode_with(text, &inversions).unwrap();
            let expected = |what: &str| &expected[&format!("{}.{key}.{what}", case.name)];
            let ids: Vec<i64> = expected("input_ids").to_vec1().unwrap();
            // diffusers numbers new tokens from the tokenizer's size, which here is the text encoder's.
            assert_eq!(tokens.ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>(), ids, "{}", case.name);
            let found = model.text_encoder.encode_with(&tokens.ids, inversions.vectors(0), 0).unwrap();
            let (found, expected) = (values(&found), values(expected("embeddings")));
            let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(far < 1e-4, "{}, {key}: {far}", case.name);
        }
    }
}

#[test]
fn a_word_is_a_whole_word_in_any_case() {
    let mut model = load("tiny-a");
    let inversions = inversions(&mut model, &[("one.safetensors", None), ("several.pt", None)]).unwrap();
    let first = model.text_encoder.vocabulary_size() as u32;
    let check = |text: &str, expected: &[(&str, &[u32])]| {
        let words = model.tokenizer.words(text, &inversions).unwrap();
        let found: Vec<_> = words
            .iter()
            .filter(|word| word.ids[0] >= first)
            .map(|word| (&text[word.span.clone()], word.ids.iter().map(|id| id - first).collect::<Vec<_>>()))
            .collect();
        let expected: Vec<_> = expected.iter().map(|(text, ids)| (*text, ids.to_vec())).collect();
        assert_eq!(found, expected, "{text}");
    };
    check("<hat>", &[("<hat>", &[0])]);
    check("a<Hat>b <HAT>", &[("<Hat>", &[0]), ("<HAT>", &[0])]);
    check("CharTurner, é charturner.", &[("CharTurner", &[1, 2, 3]), ("charturner", &[1, 2, 3])]);
    check("charturners mycharturner charturner_2 hat <hat", &[]);
    check("", &[]);
    // A prompt without the words does not change.
    let plain = "a café's portrait, 東京 hat";
    assert_eq!(
        model.tokenizer.encode_with(plain, &inversions).unwrap(),
        model.tokenizer.encode(plain).unwrap()
    );
}

#[test]
fn the_longer_of_two_words_is_used() {
    let mut model = load("tiny-a");
    let files = [("one.safetensors", Some("night-hat")), ("params.safetensors", Some("night-hat-two"))];
    let inversions = inversions(&mut model, &files).unwrap();
    let first = model.text_encoder.vocabulary_size() as u32;
    let words = model.tokenizer.words("night-hat-two night-hat", &inversions).unwrap();
    let ids: Vec<_> = words.into_iter().flat_map(|word| word.ids).collect();
    assert_eq!(ids, [first + 1, first + 2, first]);
}

#[test]
fn other_formats_are_supported() {
    let mut model = load("tiny-a");
    // Without a word in the file, its stem is the word.
    for (file, word, count) in
        [("params.safetensors", "params", 2), ("module.pt", "module", 2), ("view.bin", "<view>", 2)]
    {
        let inversions = inversions(&mut model, &[(file, None)]).unwrap();
        assert_eq!(model.tokenizer.words(word, &inversions).unwrap()[0].ids.len(), count, "{file}");
    }
}

#[test]
fn files_that_do_not_fit_are_errors() {
    let mut model = load("tiny-a");
    let mut check = |files: &[(&str, Option<&str>)], parts: &[&str]| {
        let error = inversions(&mut model, files).err().unwrap();
        let cause = std::error::Error::source(&error).map_or(String::new(), ToString::to_string);
        let message = format!("{error} {cause}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    check(
        &[("b-one.safetensors", None)],
        &["b-one.safetensors: `<hat>` has the shape [40]", "have width 32"],
    );
    check(&[("b-several.pt", None)], &["b-several.pt: `*` has the shape [3, 40]", "have width 32"]);
    check(&[("both.safetensors", None)], &["`clip_l` and `clip_g`", "number of text encoders is 1;"]);
    check(
        &[("one.safetensors", Some("watermark"))],
        &["`watermark` is already in the model's vocabulary", "<watermark>="],
    );
    check(&[("one.safetensors", Some("WATERMARK"))], &["`WATERMARK` is already in the model's vocabulary"]);
    check(
        &[("one.safetensors", None), ("params.safetensors", Some("<HAT>"))],
        &["the word `<HAT>` belongs to both", "one.safetensors"],
    );
    check(&[("expected.safetensors", None)], &["is not a textual inversion", "more"]);
    check(&[("cases.json", None)], &["not a valid safetensors file"]);
    check(&[("nowhere.pt", None)], &["nowhere.pt cannot be read"]);
}

/// Reading a damaged file always ends, with a result or an error.
#[test]
fn damaged_files_are_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = load("tiny-a");
    let whole = std::fs::read(fixture("embeddings/several.pt")).unwrap();
    let path = folder.path().join("damaged.pt");
    let mut refused = 0;
    let mut check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let result = model.inversions(&[embedding(&path, None)], Dialect::Plain);
        refused += usize::from(result.is_err());
    };
    for length in (0..whole.len()).step_by(37) {
        check(&whole[..length]);
    }
    for at in (0..whole.len()).step_by(3) {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            check(&bytes);
        }
    }
    assert!(refused > 100, "{refused}");
}

/// As in A1111, whose web UI reads no word in a file.
#[test]
fn in_a1111s_dialect_the_word_is_the_files_name() {
    let mut model = load("tiny-a");
    let file = fixture("embeddings").join("several.pt");
    let mut word = |given: Option<&str>, dialect| {
        let inversions = model.inversions(&[embedding(&file, given)], dialect).unwrap();
        let words: Vec<String> = inversions.files().map(|(word, _)| word.to_owned()).collect();
        words
    };
    assert_eq!(word(None, Dialect::Plain), ["charturner"]);
    assert_eq!(word(None, Dialect::A1111), ["several"]);
    assert_eq!(word(Some("hat-2"), Dialect::A1111), ["hat-2"]);
}
