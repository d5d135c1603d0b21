//! Files of textual inversions (Gal et al., arXiv 2208.01618): a word and its vectors.
//!
//! Not here: using the words in prompts (`text/inversions.rs`).

mod error;
mod file;
mod pickle;

use candle_core::Tensor;
pub use error::InversionError;
use maquette_core::{Dialect, Digest, Embedding, NamedFile};

/// One word and its vectors.
pub(crate) struct Inversion {
    /// The word in prompts, regardless of case.
    pub word: String,
    /// The file, for messages.
    pub file: String,
    /// The digest of the file's content.
    pub digest: Digest,
    /// The vectors for each text encoder, `[count, width]`, on the CPU; the same count for all.
    pub vectors: Vec<Tensor>,
}

impl Inversion {
    /// Reads a file for text encoders of these widths. If the experiment gives no word, it is the word in the file, or
    /// the file's stem; in A1111's dialect it is always the stem, whatever the file contains, as in A1111.
    pub(crate) fn open(
        embedding: &Embedding,
        widths: &[usize],
        dialect: Dialect,
    ) -> Result<Inversion, InversionError> {
        let Embedding { word, file: NamedFile { file: path, digest, .. } } = embedding;
        let file::Content { word: own, vectors } = file::read(path, widths)?;
        let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let own = own.filter(|_| dialect != Dialect::A1111);
        let word = word.as_deref().map(str::to_owned).or(own).unwrap_or_else(stem);
        let word = word.trim().to_owned();
        Ok(Inversion { word, file: path.display().to_string(), digest: *digest, vectors })
    }

    /// The word of a textual inversion that is part of another file, with its tensors as in a file of its own.
    pub(crate) fn of(
        word: &str,
        file: String,
        digest: Digest,
        tensors: Vec<(String, Tensor)>,
        widths: &[usize],
    ) -> Result<Inversion, InversionError> {
        let file::Content { vectors, .. } = file::content(file.clone(), tensors, widths)?;
        Ok(Inversion { word: word.to_owned(), file, digest, vectors })
    }

    /// The number of its vectors, which is the number of tokens it takes.
    pub(crate) fn len(&self) -> usize {
        self.vectors.first().map_or(0, |vectors| vectors.dims()[0])
    }
}
