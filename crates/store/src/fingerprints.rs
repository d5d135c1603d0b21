//! `.fingerprints.json` in the runs folder: a cache of the fingerprints of models, by their files.
//!
//! A fingerprint is computed from every byte of a model, which takes too long to repeat for every plan when a model has
//! gigabytes. Files with the same path, size and modification time count as unchanged.

use crate::{StoreError, write_atomic};
use maquette_core::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The paths, sizes and modification times of some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The first of the files, the key of the cache.
    first: String,
    /// The digest of a line per file: its size, modification time and canonical path.
    lines: Digest,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    stamp: Digest,
    fingerprint: Digest,
}

impl Stamp {
    /// The stamp of the files. `None` if there are none, or the metadata of one of them cannot be read.
    pub fn of(files: &[PathBuf]) -> Option<Stamp> {
        // The way fingerprints are computed may change with the version.
        let mut lines = env!("CARGO_PKG_VERSION").to_owned();
        for file in files {
            let path = std::fs::canonicalize(file).ok()?;
            let found = path.metadata().ok()?;
            let changed = found.modified().ok()?;
            // A time before 1970 counts as unknown.
            let changed = changed.duration_since(UNIX_EPOCH).ok()?.as_nanos();
            lines += &format!("\n{} {changed} {}", found.len(), path.display());
        }
        let first = std::path::absolute(files.first()?).ok()?.display().to_string();
        Some(Stamp { first, lines: Digest::of(lines.as_bytes()) })
    }
}

/// The fingerprint of files with that stamp, if it is in the cache.
pub(crate) fn read(root: &Path, stamp: &Stamp) -> Option<Digest> {
    let known = all(root).remove(&stamp.first)?;
    (known.stamp == stamp.lines).then_some(known.fingerprint)
}

/// Adds a fingerprint to the cache.
pub(crate) fn add(root: &Path, stamp: &Stamp, fingerprint: Digest) -> Result<(), StoreError> {
    let mut all = all(root);
    all.insert(stamp.first.clone(), Known { stamp: stamp.lines, fingerprint });
    write_atomic(&path(root), &serde_json::to_vec_pretty(&all).unwrap_or_default())
}

/// Reads the file; empty if there is none or it cannot be read.
fn all(root: &Path) -> BTreeMap<String, Known> {
    let text = std::fs::read(path(root)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn path(root: &Path) -> PathBuf {
    root.join(".fingerprints.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_known_until_a_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a", "b"].map(|name| folder.path().join(name));
        files.iter().for_each(|file| std::fs::write(file, "weights").unwrap());
        let stamp = Stamp::of(&files).unwrap();
        assert_eq!(read(folder.path(), &stamp), None);
        let fingerprint = Digest::of(b"model");
        add(folder.path(), &stamp, fingerprint).unwrap();
        assert_eq!(read(folder.path(), &stamp), Some(fingerprint));
        assert_eq!(read(folder.path(), &Stamp::of(&files).unwrap()), Some(fingerprint));

        std::fs::write(&files[1], "other weights").unwrap();
        assert_eq!(read(folder.path(), &Stamp::of(&files).unwrap()), None, "another size");
        std::fs::write(&files[1], "weights").unwrap();
        let later =
            std::fs::metadata(&files[0]).unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
        std::fs::File::options().write(true).open(&files[1]).unwrap().set_modified(later).unwrap();
        assert_eq!(read(folder.path(), &Stamp::of(&files).unwrap()), None, "another time");

        add(folder.path(), &Stamp::of(&files).unwrap(), Digest::of(b"new")).unwrap();
        assert_eq!(all(folder.path()).len(), 1, "the new one replaces the old one");
        std::fs::write(path(folder.path()), "torn {").unwrap();
        assert_eq!(read(folder.path(), &stamp), None);
        assert_eq!(Stamp::of(&[]), None);
        assert_eq!(Stamp::of(&[folder.path().join("gone")]), None);
    }
}
