//! Counts the names of files, to tell what removing some of them frees.

use std::collections::HashMap;
use std::path::Path;

/// Files that are to be removed, by what they are names of.
#[derive(Default)]
pub(crate) struct Links {
    files: HashMap<File, Names>,
}

/// A file on its file system.
#[derive(PartialEq, Eq, Hash)]
enum File {
    /// Device and number.
    #[cfg(unix)]
    Numbered(u64, u64),
    /// Where files have no numbers, each is its own.
    #[cfg(not(unix))]
    Named(std::path::PathBuf),
}

struct Names {
    bytes: u64,
    /// How many names it has.
    all: u64,
    /// How many of them are removed.
    removed: u64,
}

impl Links {
    /// Adds a file that is to be removed.
    pub fn add(&mut self, path: &Path) {
        let Some((file, bytes, all)) = file(path) else { return };
        self.files.entry(file).or_insert(Names { bytes, all, removed: 0 }).removed += 1;
    }

    /// How many names of a file remain, its own included.
    pub fn others(&self, path: &Path) -> u64 {
        let Some((file, _, all)) = file(path) else { return 0 };
        all.saturating_sub(self.files.get(&file).map_or(0, |names| names.removed))
    }

    /// The bytes of the files of which no name remains.
    pub fn freed(&self) -> u64 {
        self.files.values().filter(|names| names.removed >= names.all).map(|names| names.bytes).sum()
    }
}

#[cfg(unix)]
fn file(path: &Path) -> Option<(File, u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = path.symlink_metadata().ok()?;
    Some((File::Numbered(found.dev(), found.ino()), found.len(), found.nlink()))
}

#[cfg(not(unix))]
fn file(path: &Path) -> Option<(File, u64, u64)> {
    Some((File::Named(path.to_owned()), path.symlink_metadata().ok()?.len(), 1))
}
