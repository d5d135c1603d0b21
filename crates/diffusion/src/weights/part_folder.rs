//! The folder of one part of a model in diffusers' layout: a configuration and weights.

use crate::error::ModelError;
use crate::weights::content::{Content, map_file};
use crate::weights::weight_files::{self, Found};
use maquette_core::Digest;
use maquette_files::limits;
use std::path::{Path, PathBuf};

/// The configuration of a part.
pub(crate) const CONFIG: &str = "config.json";

/// The digest of the configuration and the weights in a folder; see [`weights_in`].
pub(crate) fn digest(folder: &Path, stem: &str) -> Result<Digest, ModelError> {
    let mut hasher = blake3::Hasher::new();
    let config = folder.join(CONFIG);
    if config.is_file() {
        hasher.update_rayon(&map_file(&config)?);
    }
    for file in weights_in(folder, stem)? {
        hasher.update_rayon(&map_file(&file)?);
    }
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// The weight files in a folder, of which the one in full precision is `stem.safetensors`; shards without their index.
pub(crate) fn weights_in(folder: &Path, stem: &str) -> Result<Vec<PathBuf>, ModelError> {
    let missing = |file: String| {
        let model = folder.display().to_string();
        ModelError::Missing { model, file, hint: String::new() }
    };
    match weight_files::find(stem, |name| folder.join(name).is_file()) {
        Some(Found::One(file)) => Ok(vec![folder.join(file)]),
        Some(Found::Index(index)) => {
            let file = folder.join(&index);
            let read = |source| ModelError::Json { file: file.display().to_string(), source };
            let content = serde_json::from_slice(&small(&file)?).map_err(read)?;
            // What is wrong with the list is reported when the part is loaded.
            let shards = weight_files::shards(&index, &content).unwrap_or_default();
            Ok(shards.iter().map(|name| folder.join(name)).collect())
        }
        None => Err(missing(weight_files::names(stem).join(" or "))),
    }
}

/// Maps a file that is parsed as a whole.
fn small(file: &Path) -> Result<Content, ModelError> {
    let content = map_file(file)?;
    let read = |source| ModelError::Read { file: file.display().to_string(), source };
    maquette_files::check_size(content.len() as u64, limits::CONFIG).map_err(read)?;
    Ok(content)
}
