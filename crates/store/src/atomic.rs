//! Writes files atomically: a file is complete or absent.

use crate::StoreError;
use crate::sync::{self, folder_of};
use maquette_files::limits;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::NamedTempFile;

/// Writes a file atomically: under a temporary name in the same folder, then renamed. No reader sees a partial file.
///
/// Creates the folders above it, replaces an existing file, and leaves nothing behind if it fails. When it returns, the file
/// outlasts a power failure; a power failure before that leaves the old file or the new one.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let file = prepare(path, bytes)?;
    file.as_file().sync_all().map_err(StoreError::io("write", path))?;
    replace(file, path)?;
    sync::folder(folder_of(path))
}

/// The same without waiting for the disk: a power failure may leave the file empty or torn, or the old one. For what is forced
/// later, together with other files, and for what can be made again and is checked when it is read.
pub(crate) fn write_unforced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace(prepare(path, bytes)?, path)
}

/// Creates a file atomically with its content, without waiting for the disk; false, and nothing is changed, if there is one
/// with that name.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    let file = prepare(path, bytes)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(_) => write_new_in_place(path, bytes),
    }
}

/// The same where the file system has neither hard links nor a rename that does not replace: the name is reserved by an
/// empty file, which the whole one then replaces.
fn write_new_in_place(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    match File::options().write(true).create_new(true).open(path) {
        Ok(_) => write_unforced(path, bytes).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("write", path)(error)),
    }
}

/// [`write_unforced`], with that modification time, in nanoseconds since 1970.
pub(crate) fn write_unforced_with_time(path: &Path, bytes: &[u8], modified: u64) -> Result<(), StoreError> {
    let file = prepare(path, bytes)?;
    let time = UNIX_EPOCH + Duration::from_nanos(modified);
    file.as_file().set_modified(time).map_err(StoreError::io("write", path))?;
    replace(file, path)
}

/// A temporary file with that content in the folder of `path`, which it is going to be. Creates the folders above it.
fn prepare(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, StoreError> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    // Temporary files are private by default, but other users may read results.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(StoreError::io("write", path))?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    Ok(file)
}

/// Gives a temporary file its name.
fn replace(file: NamedTempFile, path: &Path) -> Result<(), StoreError> {
    // Not `persist`, whose rename passes by the C library: tests record and refuse what passes through it.
    #[cfg(unix)]
    let renamed =
        std::fs::rename(file.path(), path).and_then(|()| Ok(file.into_temp_path().keep()?)).map(drop);
    #[cfg(not(unix))]
    let renamed = file.persist(path).map(drop).map_err(|error| error.error);
    renamed.map_err(StoreError::io("write", path))
}

/// Gives a file a second name, as a hard link where the file system has them and as a copy elsewhere.
///
/// Like [`write_atomic`], under a temporary name first: a reader finds the old file or the new one, never none.
pub(crate) fn link_atomic(from: &Path, to: &Path) -> Result<(), StoreError> {
    let folder = folder_of(to);
    std::fs::create_dir_all(folder).map_err(StoreError::io("create", folder))?;
    let linked =
        tempfile::Builder::new().prefix(".writing-").make_in(folder, |path| std::fs::hard_link(from, path));
    // Not every file system has hard links, and they cannot cross file systems.
    let Ok(linked) = linked else {
        let bytes = maquette_files::read(from, limits::PICTURE).map_err(StoreError::io("read", from))?;
        return write_unforced(to, &bytes);
    };
    // Renaming between two names of one file does nothing (POSIX); the first name is removed when it is dropped.
    std::fs::rename(linked.path(), to).map_err(StoreError::io("write", to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn a_file_is_replaced_and_no_temporary_file_remains() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn an_error_names_the_file_that_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = write_atomic(&file.join("sheet.png"), b"").unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
        // A folder under the name makes the rename fail, after the bytes were written.
        let taken = folder.path().join("taken");
        std::fs::create_dir_all(taken.join("inside")).unwrap();
        assert!(write_atomic(&taken, b"bytes").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "temporary files are removed");
    }

    #[test]
    fn of_many_that_create_a_file_one_succeeds() {
        for create in [write_new, write_new_in_place] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("new");
            let created = std::thread::scope(|scope| {
                let create = |writer: usize| {
                    let (path, content) = (&path, vec![b'0' + writer as u8; 5000]);
                    scope.spawn(move || create(path, &content).unwrap())
                };
                let threads: Vec<_> = (0..8).map(create).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
            });
            assert_eq!(created, 1);
            let content = std::fs::read(&path).unwrap();
            assert!(content.len() == 5000 && content.iter().all(|byte| *byte == content[0]));
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "temporary files are removed");
        }
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = std::io::Error::from(ErrorKind::StorageFull);
        let error = StoreError::io("write", Path::new("runs/x.png"))(full);
        assert_eq!(error.to_string(), "cannot write `runs/x.png`");
        assert_eq!(error.source().unwrap().to_string(), "no storage space");
        assert!(error.hint().unwrap().contains("finished cells are kept"));
    }

    #[test]
    fn a_link_replaces_an_existing_file() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("deep/to"));
        std::fs::write(&from, "new").unwrap();
        link_atomic(&from, &to).unwrap();
        std::fs::remove_file(&to).unwrap();
        std::fs::write(&to, "old").unwrap();
        link_atomic(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        // Once more, with both being names of one file.
        link_atomic(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(to.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_failed_link_keeps_the_existing_file() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        std::fs::write(&to, "old").unwrap();
        assert!(link_atomic(&folder.path().join("nowhere"), &to).is_err());
        assert_eq!(std::fs::read(&to).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_reader_always_finds_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        let sources = ["a", "b"].map(|name| folder.path().join(name));
        sources.iter().for_each(|source| std::fs::write(source, "picture").unwrap());
        link_atomic(&sources[0], &to).unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::SeqCst) {
                    assert_eq!(std::fs::read(&to).expect("the name always has a file"), b"picture");
                }
            });
            for turn in 0..500 {
                link_atomic(&sources[turn % 2], &to).unwrap();
            }
            over.store(true, std::sync::atomic::Ordering::SeqCst);
            reader.join().unwrap();
        });
    }
}
