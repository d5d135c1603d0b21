//! Errors of encoding a prompt.

use crate::error::ModelError;

/// An error of encoding a prompt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TextError {
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] ModelError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
