//! Files of textual inversions (Gal et al., arXiv 2208.01618): a word and its vectors.
//!
//! Not here: what the words are to a prompt (`text/inversions.rs`).

mod error;
mod file;
mod pickle;

use candle_core::Tensor;
pub use error::InversionError;
use maquette_core::{Digest, Embedding, NamedFile};

/// One word and its vectors.
pub(crate) struct Inversion {
    /// As a prompt has it, in whatever case.
    pub word: String,
    /// The file, for messages.
    pub file: String,
    /// Of the file's content.
    pub digest: Digest,
    /// For each text encoder `[count, width]`, on the CPU; the same count for all.
    pub vectors: Vec<Tensor>,
}

impl Inversion {
    /// Reads a file for text encoders of these widths. Where the experiment gives no word, it is the file's own, or its
    /// stem.
    pub(crate) fn open(embedding: &Embedding, widths: &[usize]) -> Result<Inversion, InversionError> {
        let Embedding { word, file: NamedFile { file: path, digest, .. } } = embedding;
        let file::Content { word: own, vectors } = file::read(path, widths)?;
        let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let word = word.as_deref().map(str::to_owned).or(own).unwrap_or_else(stem);
        let word = word.trim().to_owned();
        Ok(Inversion { word, file: path.display().to_string(), digest: *digest, vectors })
    }

    /// How many vectors it has, so how many tokens it takes.
    pub(crate) fn len(&self) -> usize {
        self.vectors.first().map_or(0, |vectors| vectors.dims()[0])
    }
}
