//! A model's `config.json` files, read with diffusers' own defaults for absent keys.
//!
//! Not here: interpreting the values.

use crate::error::ModelError;
use crate::weights::source::ModelSource;
use maquette_files::limits;
use serde_json::{Map, Value};

/// One configuration file; errors name the file, the key and the value.
pub(crate) struct ConfigFile {
    file: String,
    values: Map<String, Value>,
}

impl ConfigFile {
    pub(crate) fn open(source: &ModelSource, file: &str) -> Result<ConfigFile, ModelError> {
        let content = source.open_small(file, limits::CONFIG)?;
        let file = source.file_name(file);
        match serde_json::from_slice(&strict(&content)) {
            Ok(values) => Ok(ConfigFile { file, values }),
            Err(source) => Err(ModelError::Json { file, source }),
        }
    }

    /// A configuration that is not read from a file; `file` is its name in messages.
    pub(crate) fn inferred(file: String, values: Map<String, Value>) -> ConfigFile {
        ConfigFile { file, values }
    }

    /// Parses the whole file.
    pub(crate) fn parse<T>(
        &self,
        parse: impl FnOnce(&Map<String, Value>) -> serde_json::Result<T>,
    ) -> Result<T, ModelError> {
        parse(&self.values).map_err(|source| ModelError::Json { file: self.file.clone(), source })
    }

    /// The file's name for messages.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The value, unless it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// Whether the value is null, which in Python is something else than an absent key.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(Value::is_null)
    }

    /// All keys with their values.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A table in the file, as a separate configuration.
    pub(crate) fn part(&self, key: &str) -> Result<Option<ConfigFile>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(values)) => {
                let file = format!("{}, `{key}`", self.file);
                Ok(Some(ConfigFile { file, values: values.clone() }))
            }
            Some(_) => Err(self.refuse(key, "a table")),
        }
    }

    /// The same file with other values of some keys.
    pub(crate) fn with<const N: usize>(&self, changed: [(&str, Value); N]) -> ConfigFile {
        let mut values = self.values.clone();
        values.extend(changed.map(|(key, value)| (key.to_owned(), value)));
        ConfigFile { file: self.file.clone(), values }
    }

    /// The error that the value of `key` is not supported.
    pub(crate) fn refuse(&self, key: &str, supported: impl Into<String>) -> ModelError {
        let value = self.values.get(key).map_or("absent".to_owned(), Value::to_string);
        ModelError::Config {
            file: self.file.clone(),
            key: key.to_owned(),
            value,
            supported: supported.into(),
        }
    }

    /// A positive integer; null is none.
    pub(crate) fn count(&self, key: &str, default: Option<usize>) -> Result<usize, ModelError> {
        match (self.values.get(key).map(as_count), default) {
            (None, Some(default)) => Ok(default),
            (Some(Some(count)), _) => Ok(count),
            _ => Err(self.refuse(key, "a whole number from 1 to 1000000")),
        }
    }

    /// A finite number; null is none.
    pub(crate) fn number(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        match self.values.get(key) {
            None => Ok(default),
            Some(value) => {
                value.as_f64().filter(|n| n.is_finite()).ok_or_else(|| self.refuse(key, "a number"))
            }
        }
    }

    /// A flag; null counts as false, as in Python.
    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, ModelError> {
        match self.values.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.refuse(key, "true or false")),
        }
    }

    /// A list of `len` counts; one number stands for all of them.
    pub(crate) fn counts(&self, key: &str, default: usize, len: usize) -> Result<Vec<usize>, ModelError> {
        match self.get(key) {
            Some(Value::Array(values)) => values
                .iter()
                .map(as_count)
                .collect::<Option<Vec<usize>>>()
                .filter(|counts| counts.len() == len)
                .ok_or_else(|| self.refuse(key, format!("a whole number, or a list of {len} of them"))),
            _ => Ok(vec![self.count(key, Some(default))?; len]),
        }
    }

    /// A required list of counts: the widths of the blocks.
    pub(crate) fn widths(&self, key: &str) -> Result<Vec<usize>, ModelError> {
        let widths =
            self.get(key).and_then(Value::as_array).and_then(|list| list.iter().map(as_count).collect());
        widths
            .filter(|widths: &Vec<usize>| !widths.is_empty())
            .ok_or_else(|| self.refuse(key, "a list of whole numbers"))
    }

    /// The channels of each axis of a transformer's positions, even numbers whose sum is `depth`, the channels of a head.
    pub(crate) fn axes<const N: usize>(
        &self,
        key: &str,
        default: [usize; N],
        depth: usize,
    ) -> Result<[usize; N], ModelError> {
        let axes = match self.get(key) {
            None => default,
            Some(_) => <[usize; N]>::try_from(self.widths(key)?)
                .map_err(|_| self.refuse(key, format!("a list of {N} whole numbers")))?,
        };
        if axes.iter().sum::<usize>() != depth || axes.iter().any(|axis| axis % 2 != 0) {
            return Err(self.refuse(key, format!("even numbers whose sum is attention_head_dim, {depth}")));
        }
        Ok(axes)
    }

    /// A list of `len` of the `words`; returns their positions in `words`.
    pub(crate) fn kinds(&self, key: &str, words: &[&str], len: usize) -> Result<Vec<usize>, ModelError> {
        let position = |value: &Value| words.iter().position(|word| value.as_str() == Some(word));
        let kinds =
            self.get(key).and_then(Value::as_array).and_then(|list| list.iter().map(position).collect());
        kinds
            .filter(|kinds: &Vec<usize>| kinds.len() == len)
            .ok_or_else(|| self.refuse(key, format!("a list of {len}, each one of {}", words.join(", "))))
    }

    /// Refuses any value of `key` other than these; absent and null are always accepted.
    pub(crate) fn only(&self, key: &str, allowed: &[Value]) -> Result<(), ModelError> {
        // A list has one value per block.
        let fine = |value: &Value| match value {
            Value::Array(values) => values.iter().all(|value| is_one_of(value, allowed)),
            value => is_one_of(value, allowed),
        };
        if self.get(key).is_none_or(fine) {
            return Ok(());
        }
        let mut supported: Vec<String> = allowed.iter().map(Value::to_string).collect();
        supported.push("absent".to_owned());
        Err(self.refuse(key, supported.join(" or ")))
    }
}

/// A whole number from 1 to a million.
pub(crate) fn as_count(value: &Value) -> Option<usize> {
    value.as_u64().filter(|count| (1..=1_000_000).contains(count)).map(|count| count as usize)
}

fn is_one_of(value: &Value, allowed: &[Value]) -> bool {
    allowed.iter().any(|one| one == value || one.as_f64().is_some() && one.as_f64() == value.as_f64())
}

/// Makes Python's JSON valid: bare `Infinity`, `-Infinity` and `NaN` become null.
///
/// Diffusers' DPM-Solver saves `"lambda_min_clipped": -Infinity`, its default, which null also means.
fn strict(content: &[u8]) -> Vec<u8> {
    let (mut strict, mut rest) = (Vec::with_capacity(content.len()), content);
    let (mut quoted, mut escaped) = (false, false);
    while let Some((&byte, after)) = rest.split_first() {
        let bare = [&b"-Infinity"[..], b"Infinity", b"NaN"].into_iter().find(|word| rest.starts_with(word));
        if let (false, Some(word)) = (quoted, bare) {
            strict.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            continue;
        }
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
        strict.push(byte);
        rest = after;
    }
    strict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_only_python_writes_are_null() {
        let check =
            |content: &str, expected: &str| assert_eq!(strict(content.as_bytes()), expected.as_bytes());
        check(r#"{"a": -Infinity, "b": [NaN, Infinity]}"#, r#"{"a": null, "b": [null, null]}"#);
        check(r#"{"NaN": "\"-Infinity\\"}"#, r#"{"NaN": "\"-Infinity\\"}"#);
    }
}
