//! Reads a tokenizer's files: `tokenizer.json`, which recent versions of transformers write, or `vocab.json` with `merges.txt`.
//!
//! Not here: what it does with a text.

use crate::error::ModelError;
use crate::text::tokenizer_settings::{self as settings, Settings, parse};
use crate::weights::source::ModelSource;
use maquette_files::limits;
use maquette_tokenizer::check_charsmaps;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use tokenizers::{AddedToken, Tokenizer};

const WHOLE: &str = "tokenizer.json";
/// The two files that replace it.
const PARTS: [&str; 2] = ["vocab.json", "merges.txt"];

/// The content of `tokenizer.json` for those of the two files, or why there is none.
pub(super) type Assemble<'a> = &'a dyn Fn(&Map<String, Value>, &str) -> Result<Value, String>;

/// The files that are read if settings are read, too; required files are included even if they are missing.
pub(crate) fn files(source: &ModelSource, folder: &str) -> Vec<String> {
    let path = |name: &str| format!("{folder}/{name}");
    let mut files = match source.has(&path(WHOLE)) {
        true => vec![path(WHOLE)],
        false => PARTS.map(path).to_vec(),
    };
    let settings = [settings::SPECIAL, settings::CONFIG, settings::ADDED];
    files.extend(settings.map(path).into_iter().filter(|file| source.has(file)));
    files
}

/// The files that are read of a tokenizer that needs no settings unless it is assembled.
pub(crate) fn files_of_whole(source: &ModelSource, folder: &str) -> Vec<String> {
    match is_whole(source, folder) {
        true => vec![format!("{folder}/{WHOLE}")],
        false => files(source, folder),
    }
}

/// Whether there is a `tokenizer.json`, or nothing that could replace it.
pub(super) fn is_whole(source: &ModelSource, folder: &str) -> bool {
    source.has(&format!("{folder}/{WHOLE}")) || !source.has(&format!("{folder}/{}", PARTS[0]))
}

/// The tokenizer in one of a model's folders without padding and truncation, and the name of its file.
pub(super) fn open(
    source: &ModelSource,
    folder: &str,
    assemble: Assemble,
) -> Result<(Tokenizer, String), ModelError> {
    if is_whole(source, folder) {
        let name = format!("{folder}/{WHOLE}");
        return build(parse(source, &name)?, source.file_name(&name));
    }
    let [vocab, merges] = PARTS.map(|name| format!("{folder}/{name}"));
    let content = source.open_small(&merges, limits::TOKENIZER)?;
    let fail = |reason: String| ModelError::Tokenizer { file: source.file_name(&merges), reason };
    let content = std::str::from_utf8(&content).map_err(|error| fail(error.to_string()))?;
    let json = assemble(&parse(source, &vocab)?, content).map_err(fail)?;
    build(json, source.file_name(&vocab))
}

fn build(json: Value, file: String) -> Result<(Tokenizer, String), ModelError> {
    match parsed(json) {
        Ok(inner) => Ok((inner, file)),
        Err(reason) => Err(ModelError::Tokenizer { file, reason }),
    }
}

fn parsed(mut json: Value) -> Result<Tokenizer, String> {
    check_charsmaps(&json)?;
    // Nothing is decoded here, and the reader of some broken decoders panics.
    if let Some(parts) = json.as_object_mut() {
        parts.insert("decoder".to_owned(), Value::Null);
    }
    let mut inner = Tokenizer::from_bytes(json.to_string()).map_err(|error| error.to_string())?;
    inner.with_padding(None);
    inner.with_truncation(None).map_err(|error| error.to_string())?;
    Ok(inner)
}

/// Adds the tokens of the settings and `special` ones in the order of their ids; a token that is there already stays as it is.
pub(super) fn add_tokens(inner: &mut Tokenizer, settings: &Settings, special: &[&str]) -> Result<(), String> {
    let special = special.iter().map(|token| AddedToken::from(*token, true));
    let known = inner.get_added_tokens_decoder().into_values().map(|token| token.content);
    let mut known: BTreeSet<String> = known.collect();
    for token in settings.added.iter().cloned().chain(special) {
        if known.insert(token.content.clone()) {
            inner.add_tokens([token]).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
