//! What can be wrong with a model, its files or a computation.

use std::path::{Path, PathBuf};

/// A model that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file that the model needs is missing.
    #[error("{} has no {file}", .folder.display())]
    Missing {
        /// The model's folder.
        folder: PathBuf,
        /// The file, or what it may be instead.
        file: String,
    },
    /// A file cannot be read or parsed.
    #[error("{}: {reason}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A model of a kind that is not supported, or that cannot be computed exactly.
    #[error("{}: {reason}", .folder.display())]
    Unsupported {
        /// The model's folder.
        folder: PathBuf,
        /// What is not supported, and what is.
        reason: String,
    },
    /// A picture that cannot be prepared.
    #[error("the picture cannot be prepared: {0}")]
    Picture(String),
    /// A model that must be downloaded or named, and is not there.
    #[error("the model `{0}` has no folder")]
    NoFolder(String),
    /// The computation failed, for instance because a tensor is missing or has another shape.
    #[error(transparent)]
    Compute(#[from] candle_core::Error),
}

impl ModelError {
    #[expect(clippy::needless_pass_by_value, reason = "errors are handed over by map_err")]
    pub(super) fn unreadable(file: &Path, reason: impl ToString) -> ModelError {
        ModelError::Unreadable { file: file.to_owned(), reason: reason.to_string() }
    }
}
