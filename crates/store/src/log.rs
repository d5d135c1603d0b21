//! Reading the log: `log.csv` and the logs of shards, as one list.
//!
//! Columns are found by name, so that logs of older versions stay readable. Writing is `log_writer.rs`.

use crate::StoreError;
use maquette_core::CellId;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One row: what happened to a cell, every column as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    columns: Arc<[String]>,
    fields: csv::StringRecord,
    cell: CellId,
    status: Status,
}

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its picture is in the run folder.
    Done,
    /// There is none; the `error` column says why.
    Failed,
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

    /// Seconds of the engine's time that it took; none for a reused picture.
    pub fn seconds(&self) -> Option<f64> {
        self.last("seconds")?.parse().ok()
    }

    /// What rendered it; none for a reused picture.
    pub fn device(&self) -> Option<&str> {
        self.last("device")
    }

    /// The run that rendered it, when this one did not.
    pub fn reused(&self) -> Option<&str> {
        self.last("reused")
    }

    /// What went wrong.
    pub fn error(&self) -> Option<&str> {
        self.last("error")
    }

    /// The safety checker's verdict; none where it did not look.
    pub fn nsfw_content_detected(&self) -> Option<bool> {
        self.last("nsfw_content_detected")?.parse().ok()
    }

    /// What went otherwise than the settings say.
    pub fn note(&self) -> Option<&str> {
        self.last("note")
    }

    /// A column by name: a setting or a placeholder. `None` when it does not apply to this cell.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.field(self.columns.iter().position(|name| name == column)?)
    }

    /// Every column with its text, in the file's order; empty where it does not apply.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(String::as_str).zip(&self.fields)
    }

    /// A column of the log's own that stands behind the placeholders, which may carry any name.
    fn last(&self, column: &str) -> Option<&str> {
        self.field(self.columns.iter().rposition(|name| name == column)?)
    }

    fn field(&self, at: usize) -> Option<&str> {
        self.fields.get(at).filter(|text| !text.is_empty())
    }
}

/// Every cell of a run that ended, once: in one file the last row of a cell counts, and between files a picture
/// counts more than a failure.
pub(crate) fn read_logs(run: &Path) -> Result<Vec<LogRow>, StoreError> {
    let mut rows: Vec<LogRow> = Vec::new();
    let mut places: HashMap<CellId, usize> = HashMap::new();
    for path in log_files(run)? {
        let bytes = std::fs::read(&path).map_err(StoreError::io("read", &path))?;
        let mut here: HashSet<CellId> = HashSet::new();
        for row in parse(&path, &bytes[..whole_rows(&bytes)])? {
            let again = !here.insert(row.cell);
            match places.get(&row.cell) {
                Some(&at) if again || row.status == Status::Done => rows[at] = row,
                Some(_) => {}
                None => {
                    places.insert(row.cell, rows.len());
                    rows.push(row);
                }
            }
        }
    }
    Ok(rows)
}

/// How many bytes of a log are whole rows: what follows was torn by a crash.
///
/// A line break within quotes is part of a prompt, not the end of a row.
pub(crate) fn whole_rows(bytes: &[u8]) -> usize {
    let (mut quoted, mut whole) = (false, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => whole = at + 1,
            _ => {}
        }
    }
    whole
}

fn log_files(run: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(run).map_err(StoreError::io("read", run))? {
        let entry = entry.map_err(StoreError::io("read", run))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == "log.csv" || (name.starts_with("log.") && name.ends_with(".csv")) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<LogRow>, StoreError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let broken = |error: csv::Error| StoreError::damaged(path, format!("is no log of ours: {error}"));
    let columns: Arc<[String]> = reader.headers().map_err(broken)?.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|record| {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let bad = |what: &str| StoreError::damaged(path, format!("is no log of ours: line {line} {what}"));
        let field =
            |name: &str| columns.iter().position(|column| column == name).and_then(|at| record.get(at));
        let cell = field("cell").and_then(|text| text.parse().ok()).ok_or_else(|| bad("names no cell"))?;
        let status = match field("status") {
            Some("done") => Status::Done,
            Some("failed") => Status::Failed,
            _ => return Err(bad("has no status; allowed: `done`, `failed`")),
        };
        Ok(LogRow { columns: Arc::clone(&columns), cell: CellId(cell), status, fields: record })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_rows_count() {
        let check = |text: &str, expected: usize| assert_eq!(whole_rows(text.as_bytes()), expected, "{text}");
        check("", 0);
        check("cell,sta", 0);
        check("a,b\n1,2\n", 8);
        check("a,b\n1,2", 4);
        check("a,b\n1,\"two\nlines", 4);
        check("a,b\n1,\"two\nlines\"\n", 18);
        check("a,b\n1,\"a \"\"quote\"\"\n", 4);
    }
}
