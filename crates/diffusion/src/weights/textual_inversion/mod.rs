//! Textual inversion (Gal et al., arXiv 2208.01618): words whose embeddings come from a file.
//!
//! A word stands for all its vectors, which have the ids after the text encoder's own vocabulary; prompts without the
//! word are what they were. Not here: finding words in a prompt (`tokenizer.rs`) and looking ids up (`text_encoder.rs`).

mod error;
mod file;
mod pickle;

use crate::text::encoder::TextEncoder;
use crate::text::tokenizer::Tokenizer;
use candle_core::Tensor;
pub use error::InversionError;
use maquette_core::{Digest, Embedding, NamedFile};
use std::sync::Arc;

/// One word and its vectors.
pub(crate) struct Inversion {
    /// As a prompt has it, in whatever case.
    pub word: String,
    /// The file, for messages.
    pub file: String,
    digest: Digest,
    /// For each text encoder `[count, width]`, on the CPU; the same count for all.
    vectors: Vec<Tensor>,
}

/// What tells one list of words from another.
pub(crate) type Key = Vec<(String, Digest)>;

/// The words that a prompt may use, in the order in which their vectors are numbered.
#[derive(Default)]
pub struct Inversions {
    list: Vec<Arc<Inversion>>,
    /// For each text encoder those of all words, `[count, width]`.
    vectors: Vec<Tensor>,
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

impl Inversions {
    /// Words that are all different and new to the tokenizer, with their vectors as the text encoders take them.
    pub(crate) fn new(
        list: Vec<Arc<Inversion>>,
        tokenizer: &Tokenizer,
        encoders: &[&TextEncoder],
    ) -> Result<Inversions, InversionError> {
        for (i, inversion) in list.iter().enumerate() {
            let Inversion { word, file, .. } = &**inversion;
            if word.is_empty() || tokenizer.knows(word) {
                return Err(InversionError::Taken { file: file.clone(), word: word.clone() });
            }
            if let Some(other) =
                list[..i].iter().find(|other| other.word.to_lowercase() == word.to_lowercase())
            {
                let (file, other) = (file.clone(), other.file.clone());
                return Err(InversionError::Twice { word: word.clone(), file, other });
            }
        }
        let mut vectors = Vec::new();
        for (number, encoder) in encoders.iter().enumerate() {
            let of_encoder: Vec<&Tensor> = list.iter().filter_map(|it| it.vectors.get(number)).collect();
            if !of_encoder.is_empty() {
                vectors.push(encoder.as_words(&Tensor::cat(&of_encoder, 0)?)?);
            }
        }
        Ok(Inversions { list, vectors })
    }

    /// What tells these words from others.
    pub(crate) fn key(&self) -> Key {
        self.list.iter().map(|inversion| (inversion.word.clone(), inversion.digest)).collect()
    }

    /// Each word with the place of its first vector among all, and how many it has.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.list.iter().scan(0, |first, inversion| {
            let this = *first;
            *first += inversion.len();
            Some((inversion.word.as_str(), this, inversion.len()))
        })
    }

    /// The vectors for the text encoder with that number; `None` where there are none.
    pub fn vectors(&self, encoder: usize) -> Option<&Tensor> {
        self.vectors.get(encoder)
    }
}
