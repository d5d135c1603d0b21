//! Why a prompt has no embeddings.

use crate::error::ModelError;

/// Why a prompt has no embeddings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TextError {
    /// The tokenizer refuses it.
    #[error(transparent)]
    Tokenizer(#[from] ModelError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
