//! The bytes of one file: mapped from disk, or embedded in the program.
//!
//! Not here: finding the file.

use crate::error::ModelError;
use std::ops::{Deref, Range};
use std::path::Path;

/// The content of one file; files on disk are mapped rather than read.
pub(crate) enum Content {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
    Static(&'static [u8]),
}

impl Content {
    /// Drops the pages of a part that was read from the program's memory. They stay in the system's cache of files while it
    /// has room, and are read again when they are needed.
    #[allow(unsafe_code)]
    pub fn release(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        if let Content::Mapped(map) = self {
            // SAFETY: the map is read-only and of a file, so pages that are dropped have the same bytes when they are read again.
            // A failure means that they stay.
            let _ = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, bytes.start, bytes.len())
            };
        }
        #[cfg(not(unix))]
        let _ = bytes;
    }

    /// Adds the content to a digest, part after part, whose pages are dropped.
    pub fn hash(&self, hasher: &mut blake3::Hasher) {
        const PART: usize = 1 << 28;
        for start in (0..self.len()).step_by(PART) {
            let part = start..self.len().min(start + PART);
            hasher.update_rayon(&self[part.clone()]);
            self.release(part);
        }
    }

    /// Has the system read a part from the disk in the background.
    pub fn will_need(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        if let Content::Mapped(map) = self {
            // A failure means that the part is read when it is needed.
            let _ = map.advise_range(memmap2::Advice::WillNeed, bytes.start, bytes.len());
        }
        #[cfg(not(unix))]
        let _ = bytes;
    }
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

/// Refuses Python pickles, by extension.
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
    // Opening a pipe could wait forever.
    if !std::fs::metadata(path).map_err(read)?.is_file() {
        return Err(read(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let file = std::fs::File::open(path).map_err(read)?;
    map(&file).map(Content::Mapped).map_err(read)
}

#[allow(unsafe_code)]
fn map(file: &std::fs::File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is read-only and private. If another program truncated the file while it is mapped, reading would
    // fault; weight files are written once and then not changed, as every loader of safetensors assumes.
    unsafe { memmap2::Mmap::map(file) }
}
