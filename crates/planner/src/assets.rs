//! What the planner asks of its caller: the models, pictures and weight files that an experiment names.

use maquette_core::{Digest, Dtype, FoundFile, ModelCard, WeightsKind};
use std::path::Path;

/// Finds models, pictures and weight files by the names in an experiment; tests have a fake one.
pub trait AssetResolver {
    /// The card of a model, by its name as written, which is rendered in that precision; in full precision where
    /// cells of several ask for it.
    fn model(&self, name: &str, dtype: Dtype) -> Result<ModelCard, AssetError>;

    /// The digest of a model's safety checker, which its card says it has.
    fn safety_checker(&self, model: &str) -> Result<Digest, AssetError>;

    /// The digest of a picture that can be read.
    fn picture(&self, file: &Path) -> Result<FoundFile, AssetError>;

    /// Whether a mask fits its picture; both can be read.
    fn mask_fits(&self, mask: &Path, picture: &Path) -> Result<(), AssetError>;

    /// The digest of a weight file, by its name as written.
    fn weights(&self, kind: WeightsKind, name: &str) -> Result<FoundFile, AssetError>;
}

/// A model or a file that is not there or not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AssetError {
    /// What, where and what is allowed, in a sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}
