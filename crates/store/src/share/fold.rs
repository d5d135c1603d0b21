//! Folds the rows of sessions into `log.csv`, while no other process is in the run.

use super::FOLDER;
use super::objects::{FolderObjects, sessions};
use super::rows::read_rows;
use crate::atomic::write_new;
use crate::log_columns::Status;
use crate::log_writer::{LogWriter, Opened};
use crate::logs::read_log_files;
use crate::{StoreError, lock, plan_file, sync};
use maquette_core::CellId;
use maquette_share::FINISHED;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// How often the lock of a run is tried.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// Folds as soon as no other process is in the run, or gives up after that time. Returns whether it was done.
pub(crate) fn fold_when_free(run: &Path, patience: Duration) -> Result<bool, StoreError> {
    let tries = patience.as_millis() / TRY_EVERY.as_millis();
    for attempt in 0..=tries {
        match lock::of_writer(run, ".lock", false) {
            Ok(_lock) => return fold(run).map(|()| true),
            Err(StoreError::Locked { .. }) if attempt < tries => std::thread::sleep(TRY_EVERY),
            Err(StoreError::Locked { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Appends the rows of the run's sessions to `log.csv`, and removes the sessions. The caller holds the lock of the run.
///
/// Interrupted at any point, it can be done again: a row that is in the log already is left out.
pub(crate) fn fold(run: &Path) -> Result<(), StoreError> {
    let numbers = sessions(run)?;
    let Some(newest) = numbers.last().copied() else { return Ok(()) };
    // Whoever is in a session in spite of the lock, on a file system without locks, must not begin anything more.
    write_new(&FolderObjects::of(run, newest).path(FINISHED), b"")?;
    let (rows, damaged) = read_rows(run)?;
    if !rows.is_empty() {
        let (_, plan) = plan_file::read(run)?;
        let Opened::Ready(mut log) = LogWriter::open(&run.join("log.csv"), &plan, &[])? else {
            // Another version's columns: the rows stay where they are, and are read from there.
            return Ok(());
        };
        let mut known: HashMap<CellId, Status> =
            read_log_files(run)?.rows.iter().map(|row| (row.cell(), row.status())).collect();
        let mut added = Vec::new();
        for row in rows {
            let is_new = match known.get(&row.cell()) {
                None => true,
                Some(status) => *status == Status::Failed && row.status() == Status::Done,
            };
            if is_new {
                known.insert(row.cell(), row.status());
                added.push(row);
            }
        }
        if !log.append_rows(&added)? {
            return Ok(());
        }
        // The name of a new log, too, is on the disk before the rows are gone from where they were.
        sync::folder(run)?;
    }
    // A damaged row is kept for the eyes of people, as in the log.
    if damaged.is_empty() {
        numbers.iter().for_each(|number| remove(run, *number, *number == newest));
    }
    Ok(())
}

/// Removes a session; of the newest one, the mark that it is over stays, so that no number is used twice. What cannot be
/// removed now is removed next time; its rows are in the log.
fn remove(run: &Path, session: u32, keep_mark: bool) {
    let folder = run.join(FOLDER).join(session.to_string());
    let parts: &[&str] = if keep_mark { &["rows", "claims", "blocks", "finish"] } else { &[""] };
    for part in parts {
        let _ = std::fs::remove_dir_all(folder.join(part));
    }
}
