//! The settings of a tokenizer: its special tokens, its length, and tokens that were added to CLIP's vocabulary.
//!
//! Source: transformers, `tokenization_utils_base.py`. Not here: the vocabulary.

use crate::error::ModelError;
use crate::weights::source::ModelSource;
use maquette_files::limits;
use serde_json::{Map, Value};
use tokenizers::AddedToken;

pub(super) const SPECIAL: &str = "special_tokens_map.json";
pub(super) const CONFIG: &str = "tokenizer_config.json";
/// The added tokens and their ids, as transformers 4 writes them.
pub(super) const ADDED: &str = "added_tokens.json";

/// The settings of a tokenizer.
pub(super) struct Settings {
    pub bos: String,
    pub eos: String,
    pub unk: String,
    pub pad: String,
    /// The number of tokens, if it is limited.
    pub max_length: Option<u64>,
    /// The added tokens in the order of their ids; the four special ones may be among them.
    pub added: Vec<AddedToken>,
}

impl Settings {
    /// Reads the settings in one of a model's folders.
    ///
    /// The map of special tokens takes precedence over `tokenizer_config.json`: Stable Diffusion 2 pads with "!", but its
    /// configuration has another token. A configuration that lists its added tokens is newer than the map and the list of
    /// added tokens, which are then ignored.
    pub fn read(source: &ModelSource, folder: &str) -> Result<Settings, ModelError> {
        let read = |name: &str| {
            let file = format!("{folder}/{name}");
            if source.has(&file) { parse(source, &file) } else { Ok(Map::new()) }
        };
        let mut values = read(CONFIG)?;
        let decoder = values.remove("added_tokens_decoder");
        if decoder.is_none() {
            values.extend(read(SPECIAL)?);
        }
        values.retain(|_, value| !value.is_null());
        let special =
            |key: &str, default: &str| values.get(key).and_then(content).unwrap_or(default).to_owned();
        let bos = special("bos_token", "<|startoftext|>");
        let eos = special("eos_token", "<|endoftext|>");
        let (unk, pad) = (special("unk_token", &eos), special("pad_token", &eos));

        // The name of the list since transformers 5, and before.
        let list = |key: &str| values.get(key).and_then(Value::as_array).into_iter().flatten();
        let (extra, additional) = (list("extra_special_tokens"), list("additional_special_tokens"));
        let is_special = |token: &str| {
            [&bos, &eos, &unk, &pad].iter().any(|special| *special == token)
                || extra.clone().any(|value| content(value) == Some(token))
        };
        let mut added: Vec<(u64, AddedToken)> = match decoder {
            Some(decoder) => {
                let tokens = decoder.as_object().into_iter().flatten();
                tokens
                    .filter_map(|(id, token)| Some((id.parse().ok()?, added_token(token, false)?)))
                    .collect()
            }
            None => {
                let ids = read(ADDED)?;
                let token = |(token, id): (&String, &Value)| {
                    Some((id.as_u64()?, AddedToken::from(token.clone(), is_special(token))))
                };
                ids.iter().filter_map(token).collect()
            }
        };
        added.sort_by_key(|(id, _)| *id);
        let mut added: Vec<AddedToken> = added.into_iter().map(|(_, token)| token).collect();
        added.extend(extra.clone().chain(additional).filter_map(|token| added_token(token, true)));
        let max_length = values.get("model_max_length").and_then(Value::as_u64);
        Ok(Settings { bos, eos, unk, pad, max_length, added })
    }
}

impl Settings {
    /// The four special tokens.
    pub fn special(&self) -> [&str; 4] {
        [&self.bos, &self.eos, &self.unk, &self.pad]
    }
}

/// The text of a token, which is a string or a table.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// An added token with its flags; those that are absent have transformers' defaults.
fn added_token(token: &Value, special: bool) -> Option<AddedToken> {
    let flag = |key: &str| token.get(key).and_then(Value::as_bool);
    let plain = AddedToken::from(content(token)?, flag("special").unwrap_or(special));
    Some(AddedToken {
        single_word: flag("single_word").unwrap_or(plain.single_word),
        lstrip: flag("lstrip").unwrap_or(plain.lstrip),
        rstrip: flag("rstrip").unwrap_or(plain.rstrip),
        normalized: flag("normalized").unwrap_or(plain.normalized),
        ..plain
    })
}

/// Parses one of a model's JSON files.
pub(super) fn parse<T: serde::de::DeserializeOwned>(
    source: &ModelSource,
    file: &str,
) -> Result<T, ModelError> {
    let content = source.open_small(file, limits::TOKENIZER)?;
    serde_json::from_slice(&content)
        .map_err(|error| ModelError::Json { file: source.file_name(file), source: error })
}
