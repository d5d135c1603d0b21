//! The interface through which the planner looks up models, pictures and weight files.

use maquette_core::{Digest, Dtype, FoundFile, ModelCard, WeightsKind};
use std::path::{Path, PathBuf};

/// Finds models, pictures and weight files by the names in an experiment; tests use a fake one.
pub trait AssetResolver {
    /// The card of a model, by its name as written. `dtype` is the precision in which it will be rendered; full
    /// precision if its cells use several.
    fn model(&self, name: &str, dtype: Dtype) -> Result<ModelCard, AssetError>;

    /// The digest of a model's safety checker. Called only for models whose card says that they have one.
    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError>;

    /// The digest of a picture; an error if it cannot be read.
    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError>;

    /// Checks that a mask fits its picture. Both are known to be readable.
    fn mask_fits(&self, mask: &Path, picture: &Path) -> Result<(), AssetError>;

    /// The folder of trained weights; see [`maquette_core::Training::weights_file`].
    fn trained(&self) -> PathBuf;

    /// The digest of a weight file, by its name as written.
    fn weights(&self, kind: WeightsKind, name: &str) -> Result<FoundFile, AssetError>;
}

/// A model or a file is missing or invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AssetError {
    /// One sentence: what is wrong, where, and what is allowed.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}
