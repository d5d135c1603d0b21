//! A model's folder in transformers' layout: `config.json`, weights in safetensors, and the files of its processor.

use super::ModelError;
use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use maquette_files::{is_plain_path, limits};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Named tensors in single precision.
pub(super) type Tensors = HashMap<String, Tensor>;

/// A folder with a model, as on the hub.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    path: PathBuf,
}

impl ModelFolder {
    /// The model in that folder.
    pub fn new(path: impl Into<PathBuf>) -> ModelFolder {
        ModelFolder { path: path.into() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's configuration.
    ///
    /// # Errors
    ///
    /// A folder without a `config.json`, or one that is not JSON.
    pub fn config(&self) -> Result<Value, ModelError> {
        self.json("config.json")?.ok_or_else(|| self.missing("config.json"))
    }

    /// The content of a JSON file, if it is there.
    pub(super) fn json(&self, file: &str) -> Result<Option<Value>, ModelError> {
        let Some(text) = self.read(file)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|e| ModelError::unreadable(&self.path.join(file), e))
    }

    /// The bytes of a file, if it is there.
    pub(super) fn read(&self, file: &str) -> Result<Option<Vec<u8>>, ModelError> {
        let path = self.path.join(file);
        match maquette_files::read(&path, limits::TOKENIZER) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ModelError::unreadable(&path, error)),
        }
    }

    /// The tensors whose names `keep` selects.
    pub(super) fn tensors(&self, keep: &dyn Fn(&str) -> bool) -> Result<Tensors, ModelError> {
        let mut tensors = Tensors::new();
        for file in self.weight_files()? {
            tensors.extend(read_tensors(&file, keep)?);
        }
        Ok(tensors)
    }

    pub(super) fn missing(&self, file: &str) -> ModelError {
        ModelError::Missing { folder: self.path.clone(), file: file.to_owned() }
    }

    pub(super) fn unsupported(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Unsupported { folder: self.path.clone(), reason: reason.into() }
    }

    /// The one weight file, or the shards that an index names.
    fn weight_files(&self) -> Result<Vec<PathBuf>, ModelError> {
        const INDEX: &str = "model.safetensors.index.json";
        if self.path.join("model.safetensors").is_file() {
            return Ok(vec![self.path.join("model.safetensors")]);
        }
        if let Some(index) = self.json(INDEX)? {
            let shards = index["weight_map"].as_object().into_iter().flat_map(|map| map.values());
            let names: BTreeSet<&str> = shards.filter_map(Value::as_str).collect();
            // The names come from a file: only plain ones are looked up.
            return match names.iter().find(|name| name.contains('/') || !is_plain_path(name)) {
                Some(name) => {
                    let reason = format!("`{name}` is not the name of a shard");
                    Err(ModelError::unreadable(&self.path.join(INDEX), reason))
                }
                None => Ok(names.iter().map(|name| self.path.join(name)).collect()),
            };
        }
        if self.path.join("pytorch_model.bin").is_file() {
            return Err(self.unsupported(
                "its weights are a pickle (pytorch_model.bin), which can run code when it is read; only safetensors are read",
            ));
        }
        Err(self.missing("model.safetensors"))
    }
}

/// The tensors of a file whose names `keep` selects.
pub(super) fn read_tensors(file: &Path, keep: &dyn Fn(&str) -> bool) -> Result<Tensors, ModelError> {
    let bytes =
        maquette_files::read(file, limits::WEIGHTS).map_err(|error| ModelError::unreadable(file, error))?;
    parse_tensors(bytes, keep).map_err(|error| ModelError::unreadable(file, error))
}

/// The tensors in the bytes of a safetensors file whose names `keep` selects.
pub(super) fn parse_tensors(bytes: Vec<u8>, keep: &dyn Fn(&str) -> bool) -> candle_core::Result<Tensors> {
    let file = BufferedSafetensors::new(bytes)?;
    let names: Vec<String> =
        file.tensors().into_iter().map(|(name, _)| name).filter(|name| keep(name)).collect();
    let read = |name: String| Ok((name.clone(), file.load(&name, &Device::Cpu)?.to_dtype(DType::F32)?));
    names.into_iter().map(read).collect()
}

/// What candle's models read their weights from.
pub(super) fn builder(tensors: Tensors) -> VarBuilder<'static> {
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// A number of a configuration, or transformers' default.
pub(super) fn number(config: &Value, key: &str, default: usize) -> usize {
    config[key].as_u64().map_or(default, |n| n as usize)
}

/// A text of a configuration, or transformers' default.
pub(super) fn text<'a>(config: &'a Value, key: &str, default: &'a str) -> &'a str {
    config[key].as_str().unwrap_or(default)
}
