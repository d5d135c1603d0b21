//! `.checked.json` in a run: the size and modification time of each picture when its pixels were last verified.
//!
//! Decoding ten thousand pictures takes many seconds, and resuming a run checks all of them. A file whose size and
//! modification time are unchanged is not decoded again. This is a cache: without an entry, as after a crash, a picture is
//! decoded. The file is written when the run ends; of two shards that end at once, one wins.

use crate::StoreError;
use crate::atomic::write_unforced;
use maquette_files::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Pictures that were verified, by their paths in the run.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckedPictures {
    files: BTreeMap<String, FileState>,
    /// Whether there are entries that are not on disk.
    #[serde(skip)]
    changed: bool,
}

/// The size and modification time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileState {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

impl FileState {
    /// `None` if there is no such file or its time is unknown.
    pub(crate) fn of(path: &Path) -> Option<FileState> {
        FileState::from_metadata(&path.metadata().ok()?)
    }

    /// `None` if the time is unknown.
    pub(crate) fn from_metadata(found: &Metadata) -> Option<FileState> {
        let modified = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(FileState { bytes: found.len(), modified: u64::try_from(modified.as_nanos()).ok()? })
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When it was modified, in nanoseconds since 1970.
    pub(crate) fn modified(&self) -> u64 {
        self.modified
    }
}

impl CheckedPictures {
    /// Reads the run's file; empty if there is none or it cannot be read.
    pub(crate) fn read(run: &Path) -> CheckedPictures {
        let text = maquette_files::read(&path(run), limits::RUN_FILE).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Whether a picture's file is unchanged since it was verified.
    pub(crate) fn holds(&self, image: &str, state: Option<FileState>) -> bool {
        state.is_some() && self.files.get(image).copied() == state
    }

    /// Adds a verified picture.
    pub(crate) fn add(&mut self, image: String, state: FileState) {
        self.changed |= self.files.insert(image, state) != Some(state);
    }

    /// Writes new entries, keeping those that another shard has written meanwhile.
    pub(crate) fn save(&mut self, run: &Path) -> Result<(), StoreError> {
        if !self.changed {
            return Ok(());
        }
        let mut all = CheckedPictures::read(run);
        all.files.append(&mut self.files);
        *self = all;
        write_unforced(&path(run), &serde_json::to_vec(self).unwrap_or_default())
    }
}

fn path(run: &Path) -> PathBuf {
    run.join(".checked.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_until_its_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let picture = run.join("a.png");
        std::fs::write(&picture, "pixels").unwrap();
        let state = FileState::of(&picture).unwrap();
        let mut checked = CheckedPictures::read(run);
        checked.add("a.png".to_owned(), state);
        checked.save(run).unwrap();
        let read = CheckedPictures::read(run);
        assert!(read.holds("a.png", Some(state)) && !read.holds("b.png", Some(state)));
        assert!(!read.holds("a.png", None), "the file is gone");

        std::fs::write(&picture, "other pixels").unwrap();
        assert!(!read.holds("a.png", FileState::of(&picture)), "another size");
        std::fs::write(&picture, "pixelS").unwrap();
        let later = picture.metadata().unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
        std::fs::File::options().write(true).open(&picture).unwrap().set_modified(later).unwrap();
        assert!(!read.holds("a.png", FileState::of(&picture)), "another time");

        // Entries that another shard has written meanwhile are kept.
        let mut other = CheckedPictures::default();
        other.add("b.png".to_owned(), state);
        other.save(run).unwrap();
        assert!(CheckedPictures::read(run).holds("a.png", Some(state)));
        std::fs::write(path(run), "torn {").unwrap();
        assert_eq!(CheckedPictures::read(run), CheckedPictures::default());
    }
}
