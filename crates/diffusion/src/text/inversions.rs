//! The words that textual inversions add to a vocabulary, and their vectors.
//!
//! A word stands for all its vectors, whose ids follow the text encoder's own vocabulary; prompts without the word do not
//! change. Not here: reading files (`weights/textual_inversion`), finding words in a prompt (`tokenizer.rs`) and looking
//! ids up (`encoder.rs`).

use crate::weights::textual_inversion::{Inversion, InversionError};
use candle_core::{Result, Tensor};
use maquette_core::Digest;
use std::sync::Arc;

/// Identifies a list of words.
pub(crate) type Key = Vec<(String, Digest)>;

/// The words that a prompt may use, in the order in which their vectors are numbered.
#[derive(Default)]
pub struct Inversions {
    list: Vec<Arc<Inversion>>,
    /// The vectors of all words for each text encoder, `[count, width]`.
    vectors: Vec<Tensor>,
}

impl Inversions {
    /// Checks that the words are distinct and not in the vocabulary. They have no vectors yet.
    pub(crate) fn new(
        list: Vec<Arc<Inversion>>,
        in_vocabulary: impl Fn(&str) -> bool,
    ) -> std::result::Result<Inversions, InversionError> {
        for (i, inversion) in list.iter().enumerate() {
            let Inversion { word, file, .. } = &**inversion;
            if word.is_empty() || in_vocabulary(word) {
                return Err(InversionError::Taken { file: file.clone(), word: word.clone() });
            }
            if let Some(other) =
                list[..i].iter().find(|other| other.word.to_lowercase() == word.to_lowercase())
            {
                let (file, other) = (file.clone(), other.file.clone());
                return Err(InversionError::Twice { word: word.clone(), file, other });
            }
        }
        Ok(Inversions { list, vectors: Vec::new() })
    }

    /// A word that is being trained: for each text encoder its vectors, `[count, width]`, in the encoder's dtype and on its
    /// device. They may be candle variables, which then receive gradients.
    ///
    /// The word must be no [token](crate::Tokenizer::has_token) of the vocabulary.
    pub fn of_word(word: &str, vectors: Vec<Tensor>) -> Inversions {
        let (file, digest) = (String::new(), Digest::from_bytes([0; 32]));
        let inversion = Inversion { word: word.to_owned(), file, digest, vectors: vectors.clone() };
        Inversions { list: vec![Arc::new(inversion)], vectors }
    }

    /// Adds the vectors for the next text encoder; `place` moves `[count, width]` to its device and dtype.
    pub(crate) fn add_vectors(&mut self, place: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<()> {
        let number = self.vectors.len();
        let of_encoder: Vec<&Tensor> = self.list.iter().filter_map(|it| it.vectors.get(number)).collect();
        if !of_encoder.is_empty() {
            self.vectors.push(place(&Tensor::cat(&of_encoder, 0)?)?);
        }
        Ok(())
    }

    /// Identifies these words.
    pub(crate) fn key(&self) -> Key {
        self.list.iter().map(|inversion| (inversion.word.clone(), inversion.digest)).collect()
    }

    /// Each word with the index of its first vector among all, and the number of its vectors.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.list.iter().scan(0, |first, inversion| {
            let this = *first;
            *first += inversion.len();
            Some((inversion.word.as_str(), this, inversion.len()))
        })
    }

    /// Each word and its file, for messages.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|inversion| (inversion.word.as_str(), inversion.file.as_str()))
    }

    /// The vectors for the text encoder with this number; `None` if there are none.
    pub fn vectors(&self, encoder: usize) -> Option<&Tensor> {
        self.vectors.get(encoder)
    }
}
