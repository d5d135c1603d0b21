//! Where a model's files come from: a folder on disk, one checkpoint file, or bytes embedded in the program.
//!
//! Not here: interpreting the files.

use crate::error::ModelError;
use crate::weights::content::{Content, map_file, refuse_pickle};
use crate::weights::gguf;
use crate::weights::header::Header;
use crate::weights::llama_names::LlamaCpp;
use crate::weights::separate_vae::SeparateVae;
use crate::weights::single_file::{Checkpoint, Part};
use crate::weights::transformer_file::TransformerFile;
use crate::weights::weight_files::{self, Found, WeightFiles};
use maquette_files::limits::{self, Limit};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model in diffusers' folder layout, or presented as such.
#[derive(Debug, Clone)]
pub enum ModelSource {
    /// A folder that contains `unet/`, `vae/`, `text_encoder/`, `tokenizer/` and `scheduler/`.
    Folder(PathBuf),
    /// One file with LDM's tensor names, as on model sites.
    Checkpoint(Arc<Checkpoint>),
    /// A transformer in a file of its own, with the other files of its model.
    Transformer(Arc<TransformerFile>),
    /// The same files embedded in the program: relative path with forward slashes, content.
    Bytes(&'static [(&'static str, &'static [u8])]),
    /// A model with a separate autoencoder.
    WithVae(Box<ModelSource>, Arc<SeparateVae>),
}

impl ModelSource {
    /// The model at a path: a folder, or a `.safetensors` or `.gguf` file. Pickles are refused.
    ///
    /// Of a file only the header is read, of a folder nothing.
    pub fn at(path: &Path) -> Result<ModelSource, ModelError> {
        refuse_pickle(path)?;
        if path.is_file() {
            // A damaged header is reported as a checkpoint's.
            let content = map_file(path)?;
            let header = Header::read(&content);
            if let Ok(header) = &header
                && let Some(transformer) = TransformerFile::open(path, header)?
            {
                return Ok(ModelSource::Transformer(Arc::new(transformer)));
            }
            if content.starts_with(gguf::MAGIC) {
                let file = path.display().to_string();
                return Err(match header {
                    Ok(header) => ModelError::Gguf { file, what: gguf_of(&header) },
                    Err(reason) => ModelError::Weights { file, reason },
                });
            }
            return Checkpoint::open(path).map(|checkpoint| ModelSource::Checkpoint(Arc::new(checkpoint)));
        }
        Ok(ModelSource::Folder(path.to_owned()))
    }

    /// The same model with another autoencoder: a `.safetensors` file with diffusers' or LDM's names, its folder, or
    /// the folder of another model.
    pub fn with_vae(self, path: &Path) -> Result<ModelSource, ModelError> {
        let vae = Arc::new(SeparateVae::open(path)?);
        Ok(match self {
            ModelSource::WithVae(model, _) => ModelSource::WithVae(model, vae),
            model => ModelSource::WithVae(Box::new(model), vae),
        })
    }

    /// The model's name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            ModelSource::Folder(folder) => folder.display().to_string(),
            ModelSource::Checkpoint(checkpoint) => checkpoint.file().display().to_string(),
            ModelSource::Transformer(transformer) => transformer.file().display().to_string(),
            ModelSource::Bytes(_) => "the bundled model".to_owned(),
            ModelSource::WithVae(model, _) => model.name(),
        }
    }

    /// The name of one of its files in messages.
    pub(crate) fn file_name(&self, file: &str) -> String {
        match self {
            ModelSource::Folder(folder) => folder.join(file).display().to_string(),
            ModelSource::Checkpoint(checkpoint) => checkpoint.file_name(file),
            ModelSource::Transformer(transformer) => transformer.file_name(file),
            ModelSource::Bytes(_) => format!("the bundled model's {file}"),
            ModelSource::WithVae(model, vae) => match vae.path(file) {
                Some(path) => path.display().to_string(),
                None => model.file_name(file),
            },
        }
    }

    pub(crate) fn has(&self, file: &str) -> bool {
        match self {
            ModelSource::Folder(folder) => folder.join(file).is_file(),
            ModelSource::Checkpoint(checkpoint) => checkpoint.has(file),
            ModelSource::Transformer(transformer) => transformer.has(file),
            ModelSource::Bytes(files) => files.iter().any(|(name, _)| *name == file),
            ModelSource::WithVae(model, vae) => match vae.path(file) {
                Some(path) => path.is_file(),
                None => model.has(file),
            },
        }
    }

    pub(crate) fn open(&self, file: &str) -> Result<Content, ModelError> {
        match self {
            // For a missing file the error has a hint.
            ModelSource::Folder(folder) => match map_file(&folder.join(file)) {
                Err(ModelError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    Err(self.missing(&[file]))
                }
                opened => opened,
            },
            ModelSource::Checkpoint(checkpoint) => {
                checkpoint.open_file(file)?.ok_or_else(|| self.missing(&[file]))
            }
            ModelSource::Transformer(transformer) => {
                transformer.open_file(file)?.ok_or_else(|| self.missing(&[file]))
            }
            ModelSource::Bytes(files) => files
                .iter()
                .find(|(name, _)| *name == file)
                .map(|(_, bytes)| Content::Static(bytes))
                .ok_or_else(|| self.missing(&[file])),
            ModelSource::WithVae(model, vae) => match (vae.content(file), vae.path(file)) {
                (Some(content), _) => content,
                (None, Some(path)) => map_file(&path),
                (None, None) => model.open(file),
            },
        }
    }

    /// The same for a file that is parsed as a whole: it must not be larger than the limit of its kind.
    pub(crate) fn open_small(&self, file: &str, limit: Limit) -> Result<Content, ModelError> {
        let content = self.open(file)?;
        maquette_files::check_size(content.len() as u64, limit)
            .map_err(|source| ModelError::Read { file: self.file_name(file), source })?;
        Ok(content)
    }

    /// The checkpoint, if the model is one file.
    pub(crate) fn checkpoint(&self) -> Option<&Checkpoint> {
        match self {
            ModelSource::Checkpoint(checkpoint) => Some(checkpoint),
            ModelSource::WithVae(model, _) => model.checkpoint(),
            ModelSource::Folder(_) | ModelSource::Transformer(_) | ModelSource::Bytes(_) => None,
        }
    }

    /// The transformer's file, if the model is one with what is beside it.
    pub(crate) fn transformer_file(&self) -> Option<&TransformerFile> {
        match self {
            ModelSource::Transformer(transformer) => Some(transformer),
            ModelSource::WithVae(model, _) => model.transformer_file(),
            ModelSource::Folder(_) | ModelSource::Checkpoint(_) | ModelSource::Bytes(_) => None,
        }
    }

    /// The naming of a weight file's tensors, if it is not diffusers'.
    pub(crate) fn part(&self, file: &str) -> Option<Part> {
        match self {
            ModelSource::Checkpoint(checkpoint) => checkpoint.weights(file).cloned(),
            ModelSource::Transformer(transformer) => transformer.part(file).cloned(),
            ModelSource::WithVae(_, vae) if vae.path(file).is_some() => vae.part().cloned(),
            ModelSource::WithVae(model, _) => model.part(file),
            ModelSource::Folder(_) | ModelSource::Bytes(_) => None,
        }
    }

    /// The weight files of the part whose file in full precision is `stem.safetensors`; all of them exist.
    pub(crate) fn weight_files(&self, stem: &str) -> Result<WeightFiles, ModelError> {
        let index = match weight_files::find(stem, |file| self.has(file)) {
            Some(Found::One(file)) => return Ok(WeightFiles { files: vec![file.clone()], name: file }),
            Some(Found::Index(index)) => index,
            None => return Err(self.missing(&weight_files::names(stem).each_ref().map(String::as_str))),
        };
        let file = self.file_name(&index);
        let content: Value = match serde_json::from_slice(&self.open_small(&index, limits::CONFIG)?) {
            Ok(content) => content,
            Err(source) => return Err(ModelError::Json { file, source }),
        };
        let Some(files) = weight_files::shards(&index, &content) else {
            return Err(ModelError::Config {
                file,
                key: weight_files::SHARDS.to_owned(),
                value: content.get(weight_files::SHARDS).map_or("absent".to_owned(), Value::to_string),
                supported: "a table with the name of a .safetensors file for each tensor".to_owned(),
            });
        };
        match files.iter().find(|file| !self.has(file)) {
            Some(missing) => Err(self.missing(&[missing])),
            None => Ok(WeightFiles { name: index, files }),
        }
    }

    /// The error that none of `files` exists.
    fn missing(&self, files: &[&str]) -> ModelError {
        let part = files[0].split('/').next().unwrap_or_default();
        let pickled = ["diffusion_pytorch_model.bin", "pytorch_model.bin"]
            .iter()
            .map(|name| format!("{part}/{name}"))
            .find(|name| files[0].ends_with(".safetensors") && self.has(name));
        let other = match self {
            ModelSource::Folder(folder) if files[0].ends_with(".safetensors") => {
                other_weights(&folder.join(part))
            }
            _ => None,
        };
        let hint = match pickled {
            Some(pickled) => format!(
                " Its {pickled} is a Python pickle, which can run code and is not supported. Use the model's \
                 safetensors files, or write them with diffusers: \
                 `StableDiffusionPipeline.from_pretrained(folder).save_pretrained(folder)`."
            ),
            None if let Some(other) = other => {
                format!(" Its {part}/{other} is another variant, which is not chosen by itself: rename it.")
            }
            None if matches!(self, ModelSource::Folder(folder) if !folder.is_dir()) => {
                " There is no such folder.".to_owned()
            }
            None if matches!(self, ModelSource::Checkpoint(_)) && part == "vae" => {
                " It has no autoencoder; set one with `vae`.".to_owned()
            }
            None if !matches!(self, ModelSource::Folder(_)) => String::new(),
            None if !["model_index.json", "modular_model_index.json"].iter().any(|index| self.has(index)) => {
                " A model is a folder in diffusers' layout, with a model_index.json.".to_owned()
            }
            None => String::new(),
        };
        ModelError::Missing { model: self.name(), file: files.join(" or "), hint }
    }
}

/// What a GGUF file is that is no transformer of a supported family.
fn gguf_of(header: &Header) -> String {
    let architecture = header.metadata.get("general.architecture");
    match (LlamaCpp::of(|name| header.contains_key(name)), architecture) {
        (Some(_), _) => "a text encoder, which is found by its name beside a model's transformer".to_owned(),
        (None, Some(architecture)) => format!("a file of the architecture `{architecture}`"),
        (None, None) => "a file of an unknown architecture".to_owned(),
    }
}

/// A weight file of a part's folder that has another variant's name.
fn other_weights(folder: &Path) -> Option<String> {
    let entries = folder.read_dir().ok()?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names.into_iter().find(|name| {
        let known = ["diffusion_pytorch_model.", "model."].iter().any(|stem| name.starts_with(stem));
        known && name.ends_with(".safetensors")
    })
}
