//! The rows of the log, and reading one file of them.
//!
//! Columns are found by name, so that logs of older versions stay readable. A damaged row is reported and the others are
//! read. Writing is in `log_writer.rs`.

use crate::fields::Fields;
use crate::formulas::{FORMAT, restore};
use crate::log_columns::{Columns, FINAL, Status, columns, own_end, own_tail, placeholders};
use crate::log_scan::{Piece, Record, record, row_starts, scan};
use crate::{StoreError, plan_file};
use maquette_core::{CellId, Digest};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One row: what happened to a cell, with every column as in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    columns: Arc<[String]>,
    fields: Fields,
    cell: CellId,
    status: Status,
    /// The version of the log in which it was written.
    format: u32,
}

/// The logs of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Log {
    /// Every cell that ended, once, in the order of the log.
    pub rows: Vec<LogRow>,
    /// Rows that could not be read. Their cells count as not ended.
    pub damaged: Vec<DamagedRow>,
}

/// A part of a log that is not a valid row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRow {
    /// The log.
    pub file: PathBuf,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// What is wrong, as the rest of a sentence about the line.
    pub problem: String,
    /// Its first characters.
    pub beginning: String,
    /// Its cell, if that can be read.
    pub cell: Option<CellId>,
}

impl LogRow {
    /// The cell's name.
    pub fn cell(&self) -> CellId {
        self.cell
    }

    /// How it ended.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Its picture, relative to the run folder.
    pub fn image(&self) -> Option<&str> {
        self.get("image")
    }

    /// The fingerprint of its model.
    pub fn fingerprint(&self) -> Option<&str> {
        self.last("fingerprint")
    }

    /// Its share of the engine's time in seconds; none for a reused picture.
    pub fn seconds(&self) -> Option<f64> {
        self.last("seconds")?.parse().ok()
    }

    /// The device that rendered it; none for a reused picture.
    pub fn device(&self) -> Option<&str> {
        self.last("device")
    }

    /// The run that rendered it, if it was another one.
    pub fn reused(&self) -> Option<&str> {
        self.last("reused")
    }

    /// What went wrong.
    pub fn error(&self) -> Option<&str> {
        self.last("error")
    }

    /// The safety checker's verdict; none if it was off.
    pub fn nsfw_content_detected(&self) -> Option<bool> {
        self.last("nsfw_content_detected")?.parse().ok()
    }

    /// Deviations from the requested settings.
    pub fn note(&self) -> Option<&str> {
        self.last("note")
    }

    /// The digest of its picture's pixels; none in older logs or for a failed cell.
    pub fn pixels(&self) -> Option<Digest> {
        self.last("pixels")?.parse().ok()
    }

    /// The cell that a draft stands for; none in a log.
    pub fn final_cell(&self) -> Option<CellId> {
        let at = own_end(&self.columns);
        let text = self.columns.get(at).filter(|name| *name == FINAL).and_then(|_| self.field(at));
        text?.parse().ok().map(CellId)
    }

    /// The row without the apostrophes that keep spreadsheets from running its fields.
    fn restored(mut self) -> LogRow {
        if self.fields.iter().any(|field| restore(field).len() < field.len()) {
            self.fields = self.fields.iter().map(restore).collect();
        }
        self
    }

    /// A column by name: a setting or a placeholder. `None` when it does not apply to this cell.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.field(self.columns.iter().position(|name| name == column)?)
    }

    /// A metric by name; `None` if it was not measured or does not apply.
    pub fn metric(&self, name: &str) -> Option<&str> {
        self.metrics()
            .find(|(column, _)| *column == name)
            .map(|(_, text)| text)
            .filter(|text| !text.is_empty())
    }

    /// The metrics with their texts, in the file's order; empty where one was not measured or does not apply.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().skip(own_end(&self.columns))
    }

    /// Every column with its text, in the file's order; empty where it does not apply.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(String::as_str).zip(self.fields.iter())
    }

    /// One of the log's own columns after the placeholders, which may have any name.
    fn last(&self, column: &str) -> Option<&str> {
        let own = own_tail(&self.columns);
        self.field(own.start + self.columns[own].iter().position(|name| name == column)?)
    }

    /// Its fields in these columns; `None` if it has others.
    pub(crate) fn fields_in(&self, columns: &[String]) -> Option<&Fields> {
        (*self.columns == *columns).then_some(&self.fields)
    }

    fn field(&self, at: usize) -> Option<&str> {
        self.fields.get(at).filter(|text| !text.is_empty())
    }
}

/// Refuses a log with rows of a newer version: their fields may mean something else.
pub(crate) fn refuse_newer(path: &Path, rows: &[LogRow]) -> Result<(), StoreError> {
    match rows.iter().map(|row| row.format).max() {
        Some(format) if format > FORMAT => Err(StoreError::newer(path, format.into(), FORMAT)),
        _ => Ok(()),
    }
}

/// The files of one kind in a run: `log.csv`, or those of its shards; the same for drafts.
pub(crate) fn log_files(run: &Path, kind: &str) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(run).map_err(StoreError::io("read", run))? {
        let entry = entry.map_err(StoreError::io("read", run))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".csv")) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The columns that this version writes for the run.
pub(crate) fn planned_columns(run: &Path) -> Option<Vec<String>> {
    plan_file::read(run).ok().map(|(_, plan)| columns(&placeholders(&plan)))
}

/// The valid and the damaged rows of one log. `planned` gives the columns if the header is damaged.
pub(crate) fn parse(
    path: &Path,
    bytes: &[u8],
    planned: &dyn Fn() -> Option<Vec<String>>,
) -> (Vec<LogRow>, Vec<DamagedRow>) {
    let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let header = match record(&bytes[bom..]) {
        Record::Whole(names, length) => {
            Columns::of(names.iter().map(str::to_owned).collect()).map(|columns| (columns, bom + length))
        }
        Record::Torn if row_starts(bytes, 0).next().is_none() => return (Vec::new(), Vec::new()),
        Record::Torn | Record::Broken(_) => None,
    };
    let read = |columns: &Columns, from: usize| separate(path, bytes, columns, from);
    let has_header = header.is_some();
    let (rows, damaged) = header.map(|(columns, from)| read(&columns, from)).unwrap_or_default();
    // With a damaged header no row has the right number of fields.
    if rows.is_empty()
        && let Some(first) = row_starts(bytes, 0).next()
        && let Some(columns) = planned().and_then(|names| fitted(names, bytes, first))
    {
        let (rows, mut damaged) = read(&columns, first);
        if !rows.is_empty() {
            let problem = "is not the header of a log".to_owned();
            damaged.insert(0, DamagedRow::of(path, bytes, &(0..first), problem));
            return (rows, damaged);
        }
    }
    if !has_header {
        let problem = "is not the header of a log".to_owned();
        return (rows, vec![DamagedRow::of(path, bytes, &(0..bytes.len()), problem)]);
    }
    (rows, damaged)
}

/// The planned columns, without `format` if the first row was written before there was that column, and with further ones
/// for metrics, whose names are lost, if it has more fields.
fn fitted(mut names: Vec<String>, bytes: &[u8], first: usize) -> Option<Columns> {
    // What only looks like a row, such as a digest in the damaged header, has fewer fields.
    let whole = |at: usize| match record(&bytes[at..]) {
        Record::Whole(fields, _) => Some(fields).filter(|fields| fields.len() + 1 >= names.len()),
        _ => None,
    };
    if let Some(fields) = row_starts(bytes, first).find_map(whole) {
        let format = own_end(&names) - 1;
        if fields.get(format).is_none_or(|text| text.parse::<u32>().is_err()) {
            names.remove(format);
        }
        names.extend((names.len()..fields.len()).map(|at| format!("column_{}", at + 1)));
    }
    Columns::of(names)
}

/// Separates valid from damaged rows, from a position on.
fn separate(path: &Path, bytes: &[u8], columns: &Columns, from: usize) -> (Vec<LogRow>, Vec<DamagedRow>) {
    let (mut rows, mut damaged) = (Vec::new(), Vec::new());
    let mut take = |Piece { bytes: place, fields }| match fields {
        Ok((fields, (cell, status))) => {
            let format = columns.format(&fields);
            let row = LogRow { columns: columns.names(), cell, status, format, fields };
            rows.push(if format >= FORMAT { row.restored() } else { row });
        }
        Err(problem) => damaged.push(DamagedRow::of(path, bytes, &place, problem)),
    };
    scan(bytes, from, &|fields| columns.check(fields), &mut take);
    (rows, damaged)
}

impl DamagedRow {
    pub(crate) fn of(file: &Path, bytes: &[u8], place: &Range<usize>, problem: String) -> DamagedRow {
        let line = 1 + bytes[..place.start].iter().filter(|byte| **byte == b'\n').count();
        let text = String::from_utf8_lossy(&bytes[place.start..place.end.min(place.start + 64)]);
        let cell = text.get(..64).and_then(|digits| digits.parse().ok()).map(CellId);
        let beginning = text.lines().next().unwrap_or_default().chars().take(24).collect();
        DamagedRow { file: file.to_owned(), line, problem, beginning, cell }
    }
}

impl fmt::Display for DamagedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DamagedRow { file, line, problem, beginning, .. } = self;
        write!(f, "line {line} of `{}` {problem} (`{}…`)", file.display(), beginning.escape_debug())
    }
}
