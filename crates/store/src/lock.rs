//! Advisory locks on files, held until the file is dropped.

use crate::StoreError;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// The file in the runs folder that is locked: shared while a run is started, exclusively while runs are renamed or
/// removed.
pub(crate) const OF_RUNS: &str = ".lock";

/// The lock of a process that renders into a run; an error if another one holds it. `shared`: with other shards.
pub(crate) fn of_writer(run: &Path, name: &str, shared: bool) -> Result<File, StoreError> {
    let path = run.join(name);
    let file = open(&path)?;
    let try_lock = || if shared { file.try_lock_shared() } else { file.try_lock() };
    let locked = try_lock().or_else(|_| {
        // Whoever asks whether the run is in use holds the lock for a moment.
        std::thread::sleep(Duration::from_millis(20));
        try_lock()
    });
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { folder: run.to_owned() }),
        Err(TryLockError::Error(error)) => unlockable(error, &path).map(|()| file),
    }
}

/// Whether a process renders into a run.
pub(crate) fn has_writer(run: &Path) -> bool {
    let Ok(file) = File::open(run.join(".lock")) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Waits for a lock that is held for a moment only.
pub(crate) fn wait(path: &Path) -> Result<File, StoreError> {
    let file = open(path)?;
    match file.lock() {
        Ok(()) => Ok(file),
        Err(error) => unlockable(error, path).map(|()| file),
    }
}

/// The same, together with other holders of a shared lock.
pub(crate) fn wait_shared(path: &Path) -> Result<File, StoreError> {
    let file = open(path)?;
    match file.lock_shared() {
        Ok(()) => Ok(file),
        Err(error) => unlockable(error, path).map(|()| file),
    }
}

/// Whether any process holds a lock.
pub(crate) fn is_held(path: &Path) -> bool {
    let file = File::options().read(true).write(true).open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(StoreError::io("lock", path))
}

/// Ignores the error of a file system that does not support locks.
fn unlockable(error: std::io::Error, path: &Path) -> Result<(), StoreError> {
    if error.kind() == ErrorKind::Unsupported { Ok(()) } else { Err(StoreError::io("lock", path)(error)) }
}
