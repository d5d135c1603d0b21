//! The bytes of one file: mapped where it lies on disk, or part of the program.
//!
//! Not here: which file it is.

use crate::error::ModelError;
use std::ops::Deref;
use std::path::Path;

/// The content of one file, mapped rather than read where it lies on disk.
pub(crate) enum Content {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
    Static(&'static [u8]),
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Content::Mapped(map) => map,
            Content::Owned(bytes) => bytes,
            Content::Static(bytes) => bytes,
        }
    }
}

/// Refuses what only Python can read.
pub(crate) fn refuse_pickle(path: &Path) -> Result<(), ModelError> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("ckpt" | "pt" | "pth" | "bin") => Err(ModelError::Pickle { file: path.display().to_string() }),
        _ => Ok(()),
    }
}

/// Maps a file on disk.
pub(crate) fn map_file(path: &Path) -> Result<Content, ModelError> {
    let read = |source| ModelError::Read { file: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(read)?;
    map(&file).map(Content::Mapped).map_err(read)
}

#[allow(unsafe_code)]
fn map(file: &std::fs::File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is read-only and private. Were another program to cut the file short while it is mapped, reading
    // would fault; weight files are written once and then left alone, as every loader of safetensors assumes.
    unsafe { memmap2::Mmap::map(file) }
}
