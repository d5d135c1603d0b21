//! Reads the log of a run: `log.csv`, the logs of shards and the rows of workers, as one list.

use crate::StoreError;
use crate::log::{DamagedRow, Log, LogRow, log_files, parse, planned_columns, refuse_newer};
use crate::log_columns::Status;
use crate::share::read_rows;
use maquette_core::CellId;
use maquette_files::limits;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Every cell of a run that ended, once: within one file the last row of a cell counts, and between files a finished cell
/// takes precedence over a failed one. Only a file that cannot be read at all is an error.
pub(crate) fn read_logs(run: &Path) -> Result<Log, StoreError> {
    // The sessions first: what is folded meanwhile is in the files by then.
    let sessions = read_rows(run)?;
    let mut joined = read_files(run)?;
    joined.add(sessions);
    Ok(joined.log)
}

/// The same without the rows of workers that are not folded yet.
pub(crate) fn read_log_files(run: &Path) -> Result<Log, StoreError> {
    read_files(run).map(|joined| joined.log)
}

fn read_files(run: &Path) -> Result<Joined, StoreError> {
    let mut joined = Joined::default();
    for path in log_files(run, "log")? {
        let bytes = maquette_files::read(&path, limits::LOG).map_err(StoreError::io("read", &path))?;
        let (rows, damaged) = parse(&path, &bytes, &|| planned_columns(run));
        refuse_newer(&path, &rows)?;
        joined.add((rows, damaged));
    }
    Ok(joined)
}

/// The rows of several files as one log.
#[derive(Default)]
struct Joined {
    log: Log,
    places: HashMap<CellId, usize>,
}

impl Joined {
    /// Adds the rows of one file.
    fn add(&mut self, (rows, damaged): (Vec<LogRow>, Vec<DamagedRow>)) {
        let mut here: HashSet<CellId> = HashSet::new();
        for row in rows {
            let again = !here.insert(row.cell());
            match self.places.get(&row.cell()) {
                Some(&at) if again || row.status() == Status::Done => self.log.rows[at] = row,
                Some(_) => {}
                None => {
                    self.places.insert(row.cell(), self.log.rows.len());
                    self.log.rows.push(row);
                }
            }
        }
        self.log.damaged.extend(damaged);
    }
}
