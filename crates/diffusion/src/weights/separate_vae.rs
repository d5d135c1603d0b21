//! A separate autoencoder: a file with diffusers' or LDM's names, or a folder.
//!
//! A single file has no configuration: unless there is one next to it, it must match the model's own, and its latents
//! are assumed to have the model's scale. Not here: loading it.

use crate::error::ModelError;
use crate::weights::content::{map_file, refuse_pickle};
use crate::weights::header::Header;
use crate::weights::single_file::{Part, vae_in};
use maquette_core::Digest;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const WEIGHTS: [&str; 2] =
    ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"];

/// The two files of a separate autoencoder.
#[derive(Debug)]
pub struct SeparateVae {
    config: Option<PathBuf>,
    weights: PathBuf,
    part: Option<Part>,
}

impl SeparateVae {
    /// Finds it at a path: a `.safetensors` file, a folder of the autoencoder, or the folder of a model.
    pub(crate) fn open(path: &Path) -> Result<SeparateVae, ModelError> {
        refuse_pickle(path)?;
        if path.is_dir() {
            let inner = path.join("vae");
            let folder = if inner.is_dir() { inner } else { path.to_owned() };
            let weights = WEIGHTS.iter().map(|name| folder.join(name)).find(|file| file.is_file());
            return match weights {
                Some(weights) => Ok(SeparateVae { config: Some(folder.join(CONFIG)), weights, part: None }),
                None => Err(ModelError::Missing {
                    model: folder.display().to_string(),
                    file: WEIGHTS.join(" or "),
                    hint: String::new(),
                }),
            };
        }
        let content = map_file(path)?;
        let file = path.display().to_string();
        let header =
            Header::read(&content).map_err(|reason| ModelError::Weights { file: file.clone(), reason })?;
        let part = vae_in(&header);
        if part.is_none() && !header.contains_key("decoder.conv_in.weight") {
            return Err(ModelError::Tensor {
                file,
                key: "decoder.conv_in.weight".to_owned(),
                config: "an autoencoder".to_owned(),
            });
        }
        // A config.json next to a file with LDM's names may belong to something else.
        let beside = path.with_file_name(CONFIG);
        let config = Some(beside).filter(|config| part.is_none() && config.is_file());
        Ok(SeparateVae { config, weights: path.to_owned(), part })
    }

    /// The digest of the file, or of a folder's configuration and weights.
    pub fn digest(path: &Path) -> Result<Digest, ModelError> {
        let vae = SeparateVae::open(path)?;
        let mut hasher = blake3::Hasher::new();
        if let Some(config) = vae.config.as_deref().filter(|config| config.is_file() && path.is_dir()) {
            hasher.update_rayon(&map_file(config)?);
        }
        hasher.update_rayon(&map_file(&vae.weights)?);
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }

    /// The path of one of the model's files, if it is one of the autoencoder's that is replaced.
    pub(crate) fn path(&self, file: &str) -> Option<&Path> {
        match file.strip_prefix("vae/")? {
            CONFIG => self.config.as_deref(),
            // Regardless of its name, the file is returned for the first name that is looked up.
            name if name == WEIGHTS[0] => Some(&self.weights),
            _ => None,
        }
    }

    /// The naming of its tensors, if it is not diffusers'.
    pub(crate) fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }
}
