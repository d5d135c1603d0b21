//! `.fingerprints.json` in the runs folder: a cache of the fingerprints of models and of the SHA-256 hashes of weight
//! files, by their files.
//!
//! They are computed from every byte of a file, which takes too long to repeat for every plan when a model has gigabytes. Files with the same path, size and modification time count as unchanged.

use crate::StoreError;
use crate::atomic::write_unforced;
use maquette_core::Digest;
use maquette_files::limits;
use maquette_interop::Sha256;
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
    #[serde(flatten)]
    value: Value,
}

/// Exactly one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Value {
    Fingerprint(Digest),
    Sha256(Sha256),
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
    match find(root, &stamp.first, stamp)? {
        Value::Fingerprint(fingerprint) => Some(fingerprint),
        Value::Sha256(_) => None,
    }
}

/// Adds a fingerprint to the cache.
pub(crate) fn add(root: &Path, stamp: &Stamp, fingerprint: Digest) -> Result<(), StoreError> {
    insert(root, stamp.first.clone(), stamp, Value::Fingerprint(fingerprint))
}

/// The SHA-256 hashes of a file with that stamp, if they are in the cache.
pub(crate) fn read_sha256(root: &Path, stamp: &Stamp) -> Option<Sha256> {
    match find(root, &sha256_key(stamp), stamp)? {
        Value::Sha256(sha256) => Some(sha256),
        Value::Fingerprint(_) => None,
    }
}

/// Adds SHA-256 hashes to the cache.
pub(crate) fn add_sha256(root: &Path, stamp: &Stamp, sha256: Sha256) -> Result<(), StoreError> {
    insert(root, sha256_key(stamp), stamp, Value::Sha256(sha256))
}

/// A model's fingerprint may be computed from more files than its checkpoint, and has an entry of its own.
fn sha256_key(stamp: &Stamp) -> String {
    format!("sha256 {}", stamp.first)
}

fn find(root: &Path, key: &str, stamp: &Stamp) -> Option<Value> {
    let known = all(root).remove(key)?;
    (known.stamp == stamp.lines).then_some(known.value)
}

fn insert(root: &Path, key: String, stamp: &Stamp, value: Value) -> Result<(), StoreError> {
    let mut all = all(root);
    all.insert(key, Known { stamp: stamp.lines, value });
    write_unforced(&path(root), &serde_json::to_vec_pretty(&all).unwrap_or_default())
}

/// Reads the file; empty if there is none or it cannot be read.
fn all(root: &Path) -> BTreeMap<String, Known> {
    let text = maquette_files::read(&path(root), limits::RUN_FILE).unwrap_or_default();
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
        let sha256 = Sha256 { file: "0a".repeat(32), tensors: None };
        let stamp_now = Stamp::of(&files).unwrap();
        assert_eq!(read_sha256(folder.path(), &stamp_now), None);
        add_sha256(folder.path(), &stamp_now, sha256.clone()).unwrap();
        assert_eq!(read_sha256(folder.path(), &stamp_now), Some(sha256));
        assert_eq!(read_sha256(folder.path(), &stamp), None, "another stamp");
        assert_eq!(read(folder.path(), &stamp_now), Some(Digest::of(b"new")), "both are kept");
        std::fs::write(path(folder.path()), "torn {").unwrap();
        assert_eq!(read(folder.path(), &stamp), None);
        assert_eq!(Stamp::of(&[]), None);
        assert_eq!(Stamp::of(&[folder.path().join("gone")]), None);
    }
}
