//! A bucket that has a folder here: copies of its objects, and pictures that are on their way.

use crate::atomic::write_unforced;
use crate::{StoreError, lock, write_atomic};
use maquette_bucket::Bucket;
use maquette_core::{CellId, Digest};
use maquette_files::limits;
use std::fs::File;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How the names of the folders begin.
const PREFIX: &str = "maquette-";

/// The file that is locked while the folder's process lives.
const PROCESS: &str = ".process";

/// The file that names the bucket. It is written once the other is locked: a folder with this file whose lock is free is left
/// behind.
const BUCKET: &str = ".bucket";

/// The folder of pictures that are not in the bucket yet, named by their cells.
const UNSENT: &str = ".unsent";

/// A bucket, and the folder for copies of its objects, which is removed with this unless there are unsent pictures in it.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub bucket: Bucket,
    _lock: File,
    folder: TempDir,
}

/// The folder of a process that was killed, or could not send its pictures.
pub(crate) struct LeftFolder {
    path: PathBuf,
    /// The bucket of its process.
    bucket: String,
    _lock: File,
}

impl Mirror {
    /// A bucket with a new folder in the system's folder for temporary files.
    pub fn new(bucket: Bucket) -> Result<Mirror, StoreError> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let folder = folder.map_err(StoreError::io("create", &std::env::temp_dir()))?;
        let lock = lock::wait(&folder.path().join(PROCESS))?;
        write_unforced(&folder.path().join(BUCKET), name(&bucket).as_bytes())?;
        Ok(Mirror { bucket, _lock: lock, folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a picture into the bucket unless there is one with that key, and returns whether there was none. Here it is in `kept`
    /// afterwards, and among the unsent ones until the bucket has it.
    pub fn send(&self, id: &CellId, key: &str, kept: &Path, png: &[u8]) -> Result<bool, StoreError> {
        let unsent = self.hold(id, png)?;
        let is_new = self.bucket.create(key, png)?;
        let folder = kept.parent().unwrap_or(self.folder());
        std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        std::fs::rename(&unsent, kept).map_err(StoreError::io("write", kept))?;
        Ok(is_new)
    }

    /// Keeps a picture among the unsent ones.
    pub fn hold(&self, id: &CellId, png: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.folder().join(UNSENT).join(format!("{id}.png"));
        write_atomic(&path, png).map(|()| path)
    }

    /// How many pictures are unsent.
    pub fn unsent(&self) -> usize {
        unsent(self.folder()).len()
    }

    /// What earlier processes of this user left on this machine: folders without unsent pictures, and those of this bucket.
    pub fn left_folders(&self) -> Vec<LeftFolder> {
        let beside = self.folder().parent().unwrap_or(self.folder());
        let entries = beside.read_dir().into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
        let left = named.filter_map(|entry| left_folder(&entry.path(), self.folder()));
        let wanted = |left: &LeftFolder| left.bucket == name(&self.bucket) || left.unsent().is_empty();
        left.filter(wanted).collect()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if self.unsent() > 0 {
            self.folder.disable_cleanup(true);
        }
    }
}

impl LeftFolder {
    /// The unsent pictures in it.
    pub fn unsent(&self) -> Vec<(CellId, PathBuf)> {
        unsent(&self.path)
    }

    /// Removes it. What cannot be removed now is left for the next process.
    pub fn remove(self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A folder whose process has ended; `None` for anything else, and for folders of other users, who could place pictures there.
fn left_folder(path: &Path, own: &Path) -> Option<LeftFolder> {
    if path == own || !has_same_owner(path, own) {
        return None;
    }
    let read = || maquette_files::read_text(&path.join(BUCKET), limits::LINE).ok();
    read()?;
    let lock = File::options().read(true).write(true).open(path.join(PROCESS)).ok()?;
    lock.try_lock().ok()?;
    // Again: another process may have removed the folder meanwhile.
    Some(LeftFolder { path: path.to_owned(), bucket: read()?, _lock: lock })
}

/// Whether a path is a folder, not a link to one, of the user who has the other folder.
fn has_same_owner(path: &Path, own: &Path) -> bool {
    let (Ok(found), Ok(own)) = (path.symlink_metadata(), own.symlink_metadata()) else { return false };
    #[cfg(unix)]
    let same = std::os::unix::fs::MetadataExt::uid(&found) == std::os::unix::fs::MetadataExt::uid(&own);
    // The folder for temporary files is the user's own.
    #[cfg(not(unix))]
    let same = own.is_dir();
    found.is_dir() && same
}

fn unsent(folder: &Path) -> Vec<(CellId, PathBuf)> {
    let entries = folder.join(UNSENT).read_dir().into_iter().flatten().flatten();
    let cell =
        |path: &Path| Some(CellId(path.file_name()?.to_str()?.strip_suffix(".png")?.parse::<Digest>().ok()?));
    entries.filter_map(|entry| Some((cell(&entry.path())?, entry.path()))).collect()
}

/// How a bucket is told from others: several stores may have one of the same address.
fn name(bucket: &Bucket) -> String {
    format!("{} in {}", bucket.address(), bucket.store_name())
}
