//! Advisory locks on files, held until the file is dropped.

use crate::StoreError;
use maquette_files::limits;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
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
        Ok(()) => {
            // For whoever finds it locked; it is no error if this cannot be written.
            let _ = file.set_len(0).and_then(|()| (&file).write_all(this_process().as_bytes()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Locked { folder: run.to_owned(), holder: holder(&path) })
        }
        Err(TryLockError::Error(error)) => unlockable(error, &path).map(|()| file),
    }
}

/// How this process is named to others.
fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let on = if host.trim().is_empty() { String::new() } else { format!(" on {}", host.trim()) };
    format!("process {}{on}", std::process::id())
}

/// Who has a lock and since when, as that process has written it; `None` if it has not yet.
fn holder(path: &Path) -> Option<String> {
    let name = maquette_files::read_text(path, limits::LINE).ok().filter(|name| !name.is_empty())?;
    let since = jiff::Timestamp::try_from(path.metadata().ok()?.modified().ok()?).ok()?;
    Some(format!("{name} since {}", since.strftime("%F %T UTC")))
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
    // NFS without its lock service.
    const ENOLCK: i32 = if cfg!(target_os = "linux") { 37 } else { 77 };
    match error.kind() {
        ErrorKind::Unsupported => Ok(()),
        _ if cfg!(unix) && error.raw_os_error() == Some(ENOLCK) => Ok(()),
        _ => Err(StoreError::io("lock", path)(error)),
    }
}
