//! The files that the settings of a cell name.

use crate::digest::Digest;
use std::sync::Arc;

/// A file that a setting names: the name as written, the path where it was found, and the digest of its content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamedFile {
    /// The path or name as written in the experiment file; shown in the log and on sheets.
    pub path: Arc<str>,
    /// The path to read it from.
    pub file: Arc<std::path::Path>,
    /// BLAKE3 of the file's bytes; only this is part of a cell's name.
    pub digest: Digest,
}

/// A LoRA and its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Its file.
    pub file: NamedFile,
    /// The factor of its change of the denoiser: 1 as trained, 0 for no effect, negative for the opposite.
    pub weight: f64,
    /// The factor of its change of the text encoders.
    pub text_weight: f64,
}

impl Lora {
    /// A LoRA with one weight for all models.
    pub fn new(file: NamedFile, weight: f64) -> Lora {
        Lora { file, weight, text_weight: weight }
    }

    /// Whether it changes anything.
    pub fn is_active(&self) -> bool {
        self.weight != 0.0 || self.text_weight != 0.0
    }

    /// What identifies its effect: its content and the bits of its weights.
    pub fn key(&self) -> (Digest, [u64; 2]) {
        (self.file.digest, [self.weight, self.text_weight].map(f64::to_bits))
    }
}

/// A textual inversion: a word with its own embeddings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Embedding {
    /// The word, if the experiment names it; otherwise it comes from the file.
    pub word: Option<Arc<str>>,
    /// The file with its vectors.
    pub file: NamedFile,
}
