//! A separate autoencoder: a file with diffusers' or LDM's names, or a folder.
//!
//! A single file has no configuration: unless there is one next to it, it must match the model's own, and its latents
//! are assumed to have the model's scale. Not here: loading it.

use crate::error::ModelError;
use crate::weights::content::{Content, map_file, refuse_pickle};
use crate::weights::header::Header;
use crate::weights::part_folder::{self, CONFIG};
use crate::weights::single_file::{Part, vae_in};
use crate::weights::tiny_vae;
use maquette_core::Digest;
use std::path::{Path, PathBuf};

const STEM: &str = "diffusion_pytorch_model";

/// The files of a separate autoencoder.
#[derive(Debug)]
pub struct SeparateVae(Place);

#[derive(Debug)]
enum Place {
    /// The folder of an autoencoder, with its configuration and weights.
    Folder(PathBuf),
    /// A weight file, which may have a configuration beside it.
    File { config: Option<PathBuf>, weights: PathBuf, part: Option<Part> },
    /// A tiny autoencoder without a configuration: its weight file, or both files of its authors.
    Tiny { config: Vec<u8>, weights: PathBuf, originals: Option<[PathBuf; 2]> },
}

impl SeparateVae {
    /// Finds it at a path: a `.safetensors` file, a folder of the autoencoder, or the folder of a model.
    pub(crate) fn open(path: &Path) -> Result<SeparateVae, ModelError> {
        refuse_pickle(path)?;
        if path.is_dir() {
            let inner = path.join("vae");
            let folder = if inner.is_dir() { inner } else { path.to_owned() };
            part_folder::weights_in(&folder, STEM)?;
            return Ok(SeparateVae(Place::Folder(folder)));
        }
        let content = map_file(path)?;
        let file = path.display().to_string();
        let header =
            Header::read(&content).map_err(|reason| ModelError::Weights { file: file.clone(), reason })?;
        if tiny_vae::is_original(&header) {
            let originals = tiny_vae::original_files(path)?;
            let merged = tiny_vae::merged(&originals)?;
            let header = Header::read(&merged).map_err(|reason| ModelError::Weights { file, reason })?;
            return Ok(SeparateVae::tiny(&header, path, Some(originals)));
        }
        let is_tiny = tiny_vae::is_tiny(&header);
        let part = vae_in(&header);
        if part.is_none() && !is_tiny && !header.contains_key("decoder.conv_in.weight") {
            return Err(ModelError::Tensor {
                file,
                key: "decoder.conv_in.weight".to_owned(),
                config: "an autoencoder".to_owned(),
            });
        }
        // A config.json next to a file with LDM's names may belong to something else.
        let beside = path.with_file_name(CONFIG);
        let config = Some(beside).filter(|config| part.is_none() && config.is_file());
        if is_tiny && config.is_none() {
            return Ok(SeparateVae::tiny(&header, path, None));
        }
        Ok(SeparateVae(Place::File { config, weights: path.to_owned(), part }))
    }

    fn tiny(header: &Header, weights: &Path, originals: Option<[PathBuf; 2]>) -> SeparateVae {
        let config = tiny_vae::config(header).to_string().into_bytes();
        SeparateVae(Place::Tiny { config, weights: weights.to_owned(), originals })
    }

    /// The digest of the file, or of a folder's configuration and weights.
    pub fn digest(path: &Path) -> Result<Digest, ModelError> {
        let vae = SeparateVae::open(path)?;
        let mut hasher = blake3::Hasher::new();
        match vae.0 {
            Place::Tiny { originals: Some(originals), .. } => {
                _ = hasher.update_rayon(&tiny_vae::merged(&originals)?);
            }
            Place::File { weights, .. } | Place::Tiny { weights, .. } => {
                _ = hasher.update_rayon(&map_file(&weights)?);
            }
            Place::Folder(folder) => return part_folder::digest(&folder, STEM),
        }
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }

    /// The content of one of the model's files, if it is the autoencoder's and not as it is on disk.
    pub(crate) fn content(&self, file: &str) -> Option<Result<Content, ModelError>> {
        let Place::Tiny { config, originals, .. } = &self.0 else { return None };
        match (file.strip_prefix("vae/")?, originals) {
            (CONFIG, _) => Some(Ok(Content::Owned(config.clone()))),
            (name, Some(originals)) if name.strip_suffix(".safetensors") == Some(STEM) => {
                Some(tiny_vae::merged(originals).map(Content::Owned))
            }
            _ => None,
        }
    }

    /// The path of one of the model's files, if it is one of the autoencoder's that is replaced.
    pub(crate) fn path(&self, file: &str) -> Option<PathBuf> {
        let name = file.strip_prefix("vae/")?;
        match &self.0 {
            Place::Folder(folder) => Some(folder.join(name)),
            Place::File { config, .. } if name == CONFIG => config.clone(),
            // Regardless of its name, the file is returned for the first name that is looked up.
            // The configuration is inferred from the weights.
            Place::Tiny { weights, .. } if name == CONFIG => Some(weights.clone()),
            Place::File { weights, .. } | Place::Tiny { weights, .. } => {
                name.strip_suffix(".safetensors").filter(|stem| *stem == STEM).map(|_| weights.clone())
            }
        }
    }

    /// The naming of its tensors, if it is not diffusers'.
    pub(crate) fn part(&self) -> Option<&Part> {
        match &self.0 {
            Place::File { part, .. } => part.as_ref(),
            Place::Folder(_) | Place::Tiny { .. } => None,
        }
    }
}
