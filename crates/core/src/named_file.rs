//! Files that settings name, as a cell has them.

use crate::digest::Digest;
use std::sync::Arc;

/// A file that a setting names: as written, where it was found, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamedFile {
    /// The path or name as written in the experiment file; what the log and the sheet show.
    pub path: Arc<str>,
    /// Where to read it.
    pub file: Arc<std::path::Path>,
    /// BLAKE3 of the file's bytes: the part of it that names a cell.
    pub digest: Digest,
}

/// A LoRA and how strongly it acts.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Its weights.
    pub file: NamedFile,
    /// What its change is multiplied by: 1 as trained, 0 for nothing, negative for the opposite.
    pub weight: f64,
}

/// A textual inversion: a word with embeddings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Embedding {
    /// The word, where the experiment names it; otherwise the file does.
    pub word: Option<Arc<str>>,
    /// Its vectors.
    pub file: NamedFile,
}
