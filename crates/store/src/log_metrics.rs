//! Adds metrics to a log: columns at its end. Everything else in the log stays as it is.
//!
//! A log is replaced by one with more columns while no process renders into the run. Damaged rows keep their bytes; a torn last
//! row is cut off, as when the run is resumed.

use crate::formulas::{FORMAT, defuse};
use crate::lock;
use crate::log::log_files;
use crate::log_columns::{Columns, Status, are_metrics, own_end};
use crate::log_scan::{Piece, Record, record, row_starts, scan};
use crate::log_writer::line;
use crate::{Run, StoreError, share, write_atomic};
use maquette_core::CellId;
use maquette_files::limits;
use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

/// Adds metrics to a run. It holds the lock of the run, so no other process writes there until it is dropped.
pub struct MetricsWriter {
    run: Run,
    _lock: File,
}

impl Run {
    /// Locks the run, to add metrics to it.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] if another process writes into the run.
    pub fn metrics_writer(&self) -> Result<MetricsWriter, StoreError> {
        match lock::of_writer(self.dir(), ".lock", false) {
            Ok(lock) => {
                share::fold(self.dir())?;
                Ok(MetricsWriter { run: self.clone(), _lock: lock })
            }
            Err(StoreError::Locked { folder, .. }) => Err(StoreError::InUse { folder }),
            Err(error) => Err(error),
        }
    }
}

impl MetricsWriter {
    /// Writes metrics into every log of the run: the columns `names` are replaced, or added at the end. `values` has the
    /// texts of each cell in that order; a cell without an entry gets empty ones.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a log has no valid header, or has a damaged row that would count as valid with the new
    /// columns. No log is changed then.
    pub fn write(&self, names: &[&str], values: &HashMap<CellId, Vec<String>>) -> Result<(), StoreError> {
        let mut replaced: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for path in log_files(self.run.dir(), "log")? {
            let bytes = maquette_files::read(&path, limits::LOG).map_err(StoreError::io("read", &path))?;
            match with_metrics(&bytes, names, values) {
                Ok(Some(bytes)) => replaced.push((path, bytes)),
                Ok(None) => {}
                Err(problem) => return Err(StoreError::damaged(&path, problem)),
            }
        }
        replaced.iter().try_for_each(|(path, bytes)| write_atomic(path, bytes))
    }
}

/// A log with these metrics; `None` for a log without a whole header, which has no rows.
fn with_metrics(
    bytes: &[u8],
    names: &[&str],
    values: &HashMap<CellId, Vec<String>>,
) -> Result<Option<Vec<u8>>, String> {
    let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let (mut header, start) = match record(&bytes[bom..]) {
        Record::Whole(header, length) => (header.iter().map(str::to_owned).collect::<Vec<_>>(), bom + length),
        Record::Torn if row_starts(bytes, 0).next().is_none() => return Ok(None),
        Record::Torn | Record::Broken(_) => return Err(NO_HEADER.to_owned()),
    };
    let columns = Columns::of(header.clone()).ok_or(NO_HEADER)?;
    let own = own_end(&header);
    if !are_metrics(&header[own..]) {
        return Err(NO_HEADER.to_owned());
    }
    let mut places = Vec::new();
    for name in names {
        let known = header[own..].iter().position(|column| column == name);
        places.push(known.map_or(header.len(), |at| own + at));
        if known.is_none() {
            header.push((*name).to_owned());
        }
    }
    let width = header.len();
    let mut log = bytes[..bom].to_vec();
    log.extend(line(header.clone()));
    let body = log.len();
    let pieces = pieces(bytes, start, &columns);
    let mut end = start;
    for Piece { bytes: place, fields } in &pieces {
        // Empty lines between rows.
        log.extend(&bytes[end..place.start]);
        end = place.end;
        match fields {
            Ok((fields, (cell, _))) => {
                let format = columns.format(fields);
                let mut fields: Vec<String> = fields.iter().map(str::to_owned).collect();
                fields.resize(width, String::new());
                let defused = format >= FORMAT;
                let texts = values.get(cell);
                for (at, &place) in places.iter().enumerate() {
                    let text = texts.and_then(|texts| texts.get(at)).map_or("", String::as_str);
                    fields[place] = if defused { defuse(text).into_owned() } else { text.to_owned() };
                }
                log.extend(line(fields));
            }
            Err(_) => log.extend(&bytes[place.clone()]),
        }
    }
    // Another number of columns must not change which rows are valid.
    let columns = Columns::of(header).ok_or(NO_HEADER)?;
    let again = self::pieces(&log, body, &columns);
    let valid = |pieces: &[Checked]| pieces.iter().map(|piece| piece.fields.is_ok()).collect::<Vec<_>>();
    if valid(&again) != valid(&pieces) {
        let damaged = pieces.iter().find(|piece| piece.fields.is_err());
        let before = &bytes[..damaged.map_or(0, |piece| piece.bytes.start)];
        let at = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        return Err(format!(
            "has a damaged row on line {at} that would count as valid with more columns; remove it to add metrics"
        ));
    }
    Ok(Some(log))
}

/// A row of a log, or a damaged part of it.
type Checked = Piece<(CellId, Status)>;

fn pieces(log: &[u8], from: usize, columns: &Columns) -> Vec<Checked> {
    let mut pieces = Vec::new();
    scan(log, from, &|fields| columns.check(fields), &mut |piece| pieces.push(piece));
    pieces
}

const NO_HEADER: &str = "does not begin with the header of a log, so that metrics cannot be added";
