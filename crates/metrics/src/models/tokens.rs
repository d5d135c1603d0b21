//! Texts to token ids, as transformers' tokenizers of CLIP and SigLIP do it.

use super::ModelError;
use super::folder::{ModelFolder, text};
use maquette_tokenizer::{check_charsmaps, clip_tokenizer};
use serde_json::{Value, json};
use std::path::Path;
use tokenizers::{PaddingDirection, PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};

const FILE: &str = "tokenizer.json";

/// A tokenizer that truncates, and pads where the model wants it.
pub(super) struct TextTokens {
    inner: Tokenizer,
    lower: bool,
}

impl TextTokens {
    /// CLIP's: start token, text, end token, truncated to `length` and not padded, as tokens after the end change nothing.
    /// From `tokenizer.json`, or from `vocab.json` and `merges.txt`.
    pub fn clip(folder: &ModelFolder, length: usize) -> Result<TextTokens, ModelError> {
        let inner = match open(folder)? {
            Some(inner) => inner,
            None => clip_from_parts(folder)?,
        };
        TextTokens { inner, lower: false }.fitted(folder, length, None)
    }

    /// SigLIP's: truncated and padded to `length`. SigLIP 2 was trained on lower case, and so its texts are lowered.
    pub fn siglip(folder: &ModelFolder, length: usize) -> Result<TextTokens, ModelError> {
        let inner = open(folder)?.ok_or_else(|| match folder.path().join("spiece.model").is_file() {
            true => folder.unsupported(
                "its tokenizer is only there as spiece.model, which is not read; save it as tokenizer.json with transformers",
            ),
            false => folder.missing(FILE),
        })?;
        let settings = folder.json("tokenizer_config.json")?.unwrap_or(Value::Null);
        let class = text(&settings, "tokenizer_class", "SiglipTokenizer");
        let second = ["Gemma", "Siglip2"].iter().any(|start| class.starts_with(start));
        let pad = settings["pad_token"].as_str().or(settings["pad_token"]["content"].as_str());
        let pad = pad.unwrap_or(if second { "<pad>" } else { "</s>" }).to_owned();
        let pad_id = inner.token_to_id(&pad).ok_or_else(|| {
            ModelError::unreadable(
                &folder.path().join(FILE),
                format!("it has no token `{pad}`, which pads texts"),
            )
        })?;
        let direction = match text(&settings, "padding_side", "right") {
            "left" => PaddingDirection::Left,
            _ => PaddingDirection::Right,
        };
        let strategy = PaddingStrategy::Fixed(length);
        let padding =
            PaddingParams { strategy, direction, pad_id, pad_token: pad, ..PaddingParams::default() };
        TextTokens { inner, lower: second }.fitted(folder, length, Some(padding))
    }

    /// The ids of a text, special tokens included.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let lowered = self.lower.then(|| text.to_lowercase());
        let encoding = self.inner.encode(lowered.as_deref().unwrap_or(text), true);
        let encoding =
            encoding.map_err(|error| candle_core::Error::Msg(format!("the text has no tokens: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn fitted(
        mut self,
        folder: &ModelFolder,
        length: usize,
        padding: Option<PaddingParams>,
    ) -> Result<TextTokens, ModelError> {
        let truncation = TruncationParams { max_length: length, ..TruncationParams::default() };
        let file = folder.path().join(FILE);
        self.inner.with_truncation(Some(truncation)).map_err(|error| ModelError::unreadable(&file, error))?;
        self.inner.with_padding(padding);
        Ok(self)
    }
}

/// The tokenizer in `tokenizer.json`, if there is one.
pub(super) fn open(folder: &ModelFolder) -> Result<Option<Tokenizer>, ModelError> {
    let Some(bytes) = folder.read(FILE)? else { return Ok(None) };
    parse(&folder.path().join(FILE), &bytes).map(Some)
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Tokenizer, ModelError> {
    // The library panics at JSON that is none, and at broken normalizers.
    let json: Value = serde_json::from_slice(bytes).map_err(|error| ModelError::unreadable(file, error))?;
    check_charsmaps(&json).map_err(|reason| ModelError::unreadable(file, reason))?;
    Tokenizer::from_bytes(bytes).map_err(|error| ModelError::unreadable(file, error))
}

/// CLIP's tokenizer as transformers' `CLIPTokenizer` builds it, with start and end tokens around a text.
fn clip_from_parts(folder: &ModelFolder) -> Result<Tokenizer, ModelError> {
    const START: &str = "<|startoftext|>";
    const END: &str = "<|endoftext|>";
    let missing = || folder.missing("tokenizer.json, nor vocab.json with merges.txt");
    let file = |name: &str| folder.path().join(name);
    let vocab = folder.json("vocab.json")?.ok_or_else(missing)?;
    let merges = folder.read("merges.txt")?.ok_or_else(missing)?;
    let id = |token: &str| {
        let missing = || ModelError::unreadable(&file("vocab.json"), format!("it has no token `{token}`"));
        vocab[token].as_u64().ok_or_else(missing)
    };
    let ends = json!({ "type": "RobertaProcessing", "sep": [END, id(END)?], "cls": [START, id(START)?],
        "trim_offsets": false, "add_prefix_space": false });
    let words = vocab.as_object().cloned().unwrap_or_default();
    let merges = std::str::from_utf8(&merges);
    let merges = merges.map_err(|error| ModelError::unreadable(&file("merges.txt"), error))?;
    let whole = clip_tokenizer(&words, merges, &[START, END], END);
    let mut whole = whole.map_err(|reason| ModelError::unreadable(&file("merges.txt"), reason))?;
    whole["post_processor"] = ends;
    parse(&file("vocab.json"), whole.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokenizer_at_which_the_library_panics_is_refused() {
        let fixture =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/vision/siglip/tokenizer.json");
        let whole: Value = serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let folder = ModelFolder::new(temporary.path());
        let check = |text: &str, expected: Option<&str>| {
            std::fs::write(temporary.path().join(FILE), text).unwrap();
            let error = TextTokens::siglip(&folder, 16).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), expected.is_some(), "{error:?}");
            assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()));
        };
        check(&whole.to_string(), None);
        let mut broken = whole.clone();
        broken["normalizer"] = json!({ "type": "Precompiled", "precompiled_charsmap": "AAAA" });
        check(&broken.to_string(), Some("its `precompiled_charsmap` is broken"));
        broken = whole;
        broken["decoder"] = json!("here");
        check(&broken.to_string().replace("\"here\"", "Null"), Some("expected value"));
    }
}
