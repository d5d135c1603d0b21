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

/// A LoRA and its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Its file.
    pub file: NamedFile,
    /// The factor of its change: 1 as trained, 0 for no effect, negative for the opposite.
    pub weight: f64,
}

/// A textual inversion: a word with its own embeddings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Embedding {
    /// The word, if the experiment names it; otherwise it comes from the file.
    pub word: Option<Arc<str>>,
    /// The file with its vectors.
    pub file: NamedFile,
}
