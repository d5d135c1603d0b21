//! What the planner must be told about the world: models, pictures and weight files.

use maquette_core::{Dtype, FoundFile, ModelCard, WeightsKind};
use std::path::Path;

/// Answers questions about models and files; the command line's part, faked in tests.
pub trait World {
    /// The card of a model, by its name as written, which is rendered in that precision; in full precision where
    /// cells of several ask for it.
    fn model(&self, name: &str, dtype: Dtype) -> Result<ModelCard, WorldError>;

    /// The digest of a picture that can be read.
    fn picture(&self, file: &Path) -> Result<FoundFile, WorldError>;

    /// Whether a mask fits its picture; both can be read.
    fn mask_fits(&self, mask: &Path, picture: &Path) -> Result<(), WorldError>;

    /// The digest of a weight file, by its name as written.
    fn weights(&self, kind: WeightsKind, name: &str) -> Result<FoundFile, WorldError>;
}

/// A model or a file that is not there or not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WorldError {
    /// What, where and what is allowed, in a sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}
