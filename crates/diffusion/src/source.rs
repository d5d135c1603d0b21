//! Where a model's files come from: a folder on disk, or bytes inside the program.
//!
//! Not here: what the files mean.

use crate::ModelError;
use std::ops::Deref;
use std::path::PathBuf;

/// A model in diffusers' folder layout.
#[derive(Debug, Clone)]
pub enum ModelSource {
    /// A folder that holds `unet/`, `vae/`, `text_encoder/`, `tokenizer/` and `scheduler/`.
    Folder(PathBuf),
    /// The same files embedded in the program: relative path with forward slashes, content.
    Bytes(&'static [(&'static str, &'static [u8])]),
}

/// The content of one file, mapped rather than read where it lies on disk.
pub(crate) enum Content {
    Mapped(memmap2::Mmap),
    Static(&'static [u8]),
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Content::Mapped(map) => map,
            Content::Static(bytes) => bytes,
        }
    }
}

impl ModelSource {
    /// What to call it in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            ModelSource::Folder(folder) => folder.display().to_string(),
            ModelSource::Bytes(_) => "the bundled model".to_owned(),
        }
    }

    /// What to call one of its files in messages.
    pub(crate) fn file_name(&self, file: &str) -> String {
        match self {
            ModelSource::Folder(folder) => folder.join(file).display().to_string(),
            ModelSource::Bytes(_) => format!("the bundled model's {file}"),
        }
    }

    pub(crate) fn has(&self, file: &str) -> bool {
        match self {
            ModelSource::Folder(folder) => folder.join(file).is_file(),
            ModelSource::Bytes(files) => files.iter().any(|(name, _)| *name == file),
        }
    }

    /// Opens the first of `files` that is there, and says which it was.
    pub(crate) fn open_first<'a>(&self, files: &[&'a str]) -> Result<(&'a str, Content), ModelError> {
        let file = files.iter().find(|file| self.has(file)).ok_or_else(|| self.missing(files))?;
        Ok((file, self.open(file)?))
    }

    pub(crate) fn open(&self, file: &str) -> Result<Content, ModelError> {
        match self {
            ModelSource::Folder(folder) => {
                let read = |source| ModelError::Read { file: self.file_name(file), source };
                let opened = match std::fs::File::open(folder.join(file)) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        return Err(self.missing(&[file]));
                    }
                    opened => opened.map_err(read)?,
                };
                map(&opened).map(Content::Mapped).map_err(read)
            }
            ModelSource::Bytes(files) => files
                .iter()
                .find(|(name, _)| *name == file)
                .map(|(_, bytes)| Content::Static(bytes))
                .ok_or_else(|| self.missing(&[file])),
        }
    }

    fn missing(&self, files: &[&str]) -> ModelError {
        let part = files[0].split('/').next().unwrap_or_default();
        let pickled = ["diffusion_pytorch_model.bin", "pytorch_model.bin"]
            .iter()
            .map(|name| format!("{part}/{name}"))
            .find(|name| files[0].ends_with(".safetensors") && self.has(name));
        let hint = match pickled {
            Some(pickled) => format!(
                " Its {pickled} is a Python pickle, which can run code and is not read. Take the model's safetensors \
                 files, or write them with diffusers: \
                 `StableDiffusionPipeline.from_pretrained(folder).save_pretrained(folder)`."
            ),
            None if matches!(self, ModelSource::Folder(folder) if !folder.is_dir()) => {
                " There is no such folder.".to_owned()
            }
            None if !self.has("model_index.json") => {
                " A model is a folder in diffusers' layout, with model_index.json at its top.".to_owned()
            }
            None => String::new(),
        };
        ModelError::Missing { model: self.name(), file: files.join(" or "), hint }
    }
}

#[allow(unsafe_code)]
fn map(file: &std::fs::File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is read-only and private. Were another program to cut the file short while it is mapped, reading
    // would fault; weight files are written once and then left alone, as every loader of safetensors assumes.
    unsafe { memmap2::Mmap::map(file) }
}
