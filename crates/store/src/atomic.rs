//! Files that are whole or absent.

use crate::StoreError;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes a file so that no reader ever sees half of it: under another name beside its place, then renamed.
///
/// Creates the folders above it, replaces a file that is already there, and leaves nothing behind when it fails.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // Results are for others to read too; temporary files are private unless told otherwise.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(StoreError::io("write", path))?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.persist(path).map(drop).map_err(|error| StoreError::io("write", path)(error.error))
}

/// Gives a file a second name, as a hard link where the file system has them and as a copy elsewhere.
///
/// What is already there goes first, so that a reader finds the old file, none, or the new one.
pub(crate) fn link_atomic(from: &Path, to: &Path) -> Result<(), StoreError> {
    let folder = folder_of(to);
    std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StoreError::io("replace", to)(error));
        }
        _ => {}
    }
    // Not every file system has links, and none reaches into another one.
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let bytes = std::fs::read(from).map_err(StoreError::io("read", from))?;
    write_atomic(to, &bytes)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn where_nothing_can_be_written_the_error_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = write_atomic(&file.join("sheet.png"), b"").unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
        // A name that is taken by a folder fails at the last moment, after the bytes were written.
        let taken = folder.path().join("taken");
        std::fs::create_dir_all(taken.join("inside")).unwrap();
        assert!(write_atomic(&taken, b"bytes").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "temporary files are removed");
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let full = std::io::Error::from(ErrorKind::StorageFull);
        let error = StoreError::io("write", Path::new("runs/x.png"))(full);
        assert_eq!(error.to_string(), "cannot write `runs/x.png`");
        assert_eq!(error.source().unwrap().to_string(), "no storage space");
        assert!(error.hint().unwrap().contains("finished cells are kept"));
    }

    #[test]
    fn a_link_replaces_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("deep/to"));
        std::fs::write(&from, "new").unwrap();
        link_atomic(&from, &to).unwrap();
        std::fs::remove_file(&to).unwrap();
        std::fs::write(&to, "old").unwrap();
        link_atomic(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
    }
}
