//! Forces files and folders to the disk, so that they outlast a power failure.
//!
//! A file system may write the name of a file before its content, or a later file before an earlier one. So a row of the log is
//! written only when everything that it relies on is on the disk: its picture, and the names of the picture and of every folder
//! above it.

use crate::StoreError;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What has to be forced before rows can rely on it.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    files: Vec<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// Folders and logs whose names are on the disk, or will be after [`Unsynced::sync`].
    named: HashSet<PathBuf>,
}

impl Unsynced {
    /// Adds a file that was just written, and its names up to the folder `root`.
    pub fn add_file(&mut self, path: &Path, root: &Path) {
        self.files.push(path.to_owned());
        self.add_name_in_folder(path, root);
    }

    /// Adds the name of a file that is relied on once.
    fn add_name_in_folder(&mut self, path: &Path, root: &Path) {
        let folder = folder_of(path);
        self.folders.insert(folder.to_owned());
        self.add_name(folder, root);
    }

    /// Adds the name of a folder or log that is relied on again and again; once is enough.
    pub fn add_name(&mut self, path: &Path, root: &Path) {
        if self.named.insert(path.to_owned()) {
            let folder = folder_of(path);
            self.folders.insert(folder.to_owned());
            if path != root {
                self.add_name(folder, root);
            }
        }
    }

    /// Forces everything that was added. Side by side, because a file system writes one journal for all that wait for it.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        let (files, folders) = (std::mem::take(&mut self.files), std::mem::take(&mut self.folders));
        files.par_iter().try_for_each(|path| file(path))?;
        folders.into_iter().collect::<Vec<_>>().par_iter().try_for_each(|path| folder(path))
    }
}

/// Forces the content of a file.
pub(crate) fn file(path: &Path) -> Result<(), StoreError> {
    // Windows flushes only files that are open for writing; elsewhere a file may be read-only.
    let opened = if cfg!(windows) { File::options().write(true).open(path) } else { File::open(path) };
    opened.and_then(|file| file.sync_all()).map_err(StoreError::io("write", path))
}

/// Forces the names in a folder. Where a system has no such thing for folders, there is nothing to do.
pub(crate) fn folder(path: &Path) -> Result<(), StoreError> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(path).and_then(|folder| folder.sync_all()) {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::Unsupported | ErrorKind::InvalidInput | ErrorKind::PermissionDenied
            ) =>
        {
            Err(StoreError::io("write", path)(error))
        }
        _ => Ok(()),
    }
}

/// The folder of a file or folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_forced_up_to_the_root_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("runs");
        let pictures = root.join(".cells/ab");
        std::fs::create_dir_all(&pictures).unwrap();
        let mut unsynced = Unsynced::default();
        let mut forced = |name: &str| {
            let picture = pictures.join(name);
            std::fs::write(&picture, "picture").unwrap();
            unsynced.add_file(&picture, &root);
            let folders: Vec<PathBuf> = unsynced.folders.iter().cloned().collect();
            unsynced.sync().unwrap();
            folders
        };
        let above = [folder.path().to_owned(), root.clone(), root.join(".cells"), pictures.clone()];
        assert_eq!(forced("1.png"), above);
        assert_eq!(forced("2.png"), std::slice::from_ref(&pictures));
        unsynced.add_file(&pictures.join("gone.png"), &root);
        assert!(unsynced.sync().is_err());
    }
}
