//! What models were found to be, by the files that they lay in: `.fingerprints.json` in the runs folder.
//!
//! A fingerprint is made from every byte of a model; for gigabytes that takes a while, and nobody wants to wait for it
//! at every plan. Files that have the same path, size and time of change are taken to be the same.

use crate::{StoreError, write_atomic};
use maquette_core::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What some files look like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The first of the files: under it the rest is remembered.
    first: String,
    /// A line per file: its size, when it was changed, where it really lies.
    lines: Digest,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    stamp: Digest,
    fingerprint: Digest,
}

impl Stamp {
    /// Looks at the files. `None` where there are none, or one of them cannot be looked at.
    pub fn of(files: &[PathBuf]) -> Option<Stamp> {
        // What a fingerprint is made of may change with the version.
        let mut lines = env!("CARGO_PKG_VERSION").to_owned();
        for file in files {
            let path = std::fs::canonicalize(file).ok()?;
            let found = path.metadata().ok()?;
            let changed = found.modified().ok()?;
            // Before 1970 a file is as unknown as one that cannot be looked at.
            let changed = changed.duration_since(UNIX_EPOCH).ok()?.as_nanos();
            lines += &format!("\n{} {changed} {}", found.len(), path.display());
        }
        let first = std::path::absolute(files.first()?).ok()?.display().to_string();
        Some(Stamp { first, lines: Digest::of(lines.as_bytes()) })
    }
}

/// The fingerprint of files that look like that, if it is known.
pub(crate) fn read(root: &Path, stamp: &Stamp) -> Option<Digest> {
    let known = all(root).remove(&stamp.first)?;
    (known.stamp == stamp.lines).then_some(known.fingerprint)
}

/// Remembers a fingerprint.
pub(crate) fn add(root: &Path, stamp: &Stamp, fingerprint: Digest) -> Result<(), StoreError> {
    let mut all = all(root);
    all.insert(stamp.first.clone(), Known { stamp: stamp.lines, fingerprint });
    write_atomic(&path(root), &serde_json::to_vec_pretty(&all).unwrap_or_default())
}

/// What the file says; nothing when there is none that can be read.
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
