//! Finds the files of a model by its name: the bundled model, a folder, a checkpoint, or a repository in the hub's cache.
//! Downloads nothing.

use maquette_core::Dtype;
use maquette_diffusion::{ModelError, ModelSource};
use maquette_hub::{Cache, Environment, Repository, Wanted};
use std::path::{Path, PathBuf};

/// Why a name does not lead to a model on this machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoModel {
    /// There is no such model.
    #[error("no model is called `{name}`")]
    Unknown {
        /// The name as written.
        name: String,
    },
    /// There is such a file, but it is not a model.
    #[error(transparent)]
    Unusable(#[from] ModelError),
    /// Its files are not those that the plan was made for: their pictures would have the wrong names.
    #[error("the files of `{name}` have changed since the plan was made; run again to plan with them")]
    Changed {
        /// The name as written.
        name: String,
    },
}

impl NoModel {
    /// What is allowed instead.
    pub fn hint(&self) -> Option<String> {
        let NoModel::Unknown { name } = self else { return None };
        let download = repository(name).map_or(String::new(), |repository| {
            format!("\n\nTo download it: maquette models fetch {repository}")
        });
        Some(format!(
            "allowed: `{}` (bundled), a folder in diffusers layout, a .safetensors or .gguf file, or a repository on the \
             hub, OWNER/NAME or OWNER/NAME@REVISION{download}",
            maquette_sketchbook::NAME
        ))
    }
}

/// Finds a model: the bundled one by its name; a folder or a checkpoint file relative to `base`, the experiment file's
/// folder, or to the current folder; a repository whose files are in the cache that Hugging Face's own tools share.
///
/// The cache is used as it is, without asking the hub for newer versions.
pub(crate) fn find(name: &str, base: &Path, hub: &Environment) -> Result<ModelSource, NoModel> {
    if name == maquette_sketchbook::NAME {
        return Ok(ModelSource::Bytes(maquette_sketchbook::FILES));
    }
    let paths = [base.join(name), PathBuf::from(name)];
    if let Some(file) = paths.iter().find(|path| path.is_file()) {
        return Ok(ModelSource::at(file)?);
    }
    paths
        .into_iter()
        .find(|folder| is_model(folder))
        .or_else(|| Cache::new(hub).find(&repository(name)?, &model(Dtype::F32)))
        .map(ModelSource::Folder)
        .ok_or_else(|| NoModel::Unknown { name: name.to_owned() })
}

/// Whether a path is a model folder.
pub(crate) fn is_model(path: &Path) -> bool {
    path.join("model_index.json").is_file() || path.join("unet").is_dir() || path.join("transformer").is_dir()
}

/// The repository that a name may stand for; `None` for names that look like files.
pub(crate) fn repository(name: &str) -> Option<Repository> {
    let file =
        [".safetensors", ".gguf", ".ckpt", ".bin", ".pt", ".pth"].iter().any(|ending| name.ends_with(ending));
    name.parse().ok().filter(|_| !file)
}

/// What is needed of a model's repository.
pub(crate) fn model(dtype: Dtype) -> Wanted {
    Wanted::Pipeline { dtype, safety_checker: false }
}

/// Every repository in the cache that looks like a model in diffusers layout: its folder, and whether it is complete.
pub(crate) fn all_cached(hub: &Environment) -> Vec<(Repository, PathBuf, bool)> {
    let cache = Cache::new(hub);
    let complete = |repository: &Repository| cache.find(repository, &model(Dtype::F32)).is_some();
    cache.models().into_iter().map(|(name, folder)| (name.clone(), folder, complete(&name))).collect()
}
