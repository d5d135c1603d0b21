//! Appends to the log: the rows of cells that ended, in one write, which is forced to the disk. Written rows are never changed; `log_metrics.rs` adds columns
//! to them.

use crate::formulas::{FORMAT, defuse};
use crate::log_columns::{Columns, are_metrics, columns, placeholders};
use crate::log_scan::{self, scan};
use crate::{LogRow, StoreError};
use maquette_core::{Digest, Outcome, Plan, Record, Remarks, SETTINGS};
use maquette_files::{check_size, limits};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The open log of one writer.
pub(crate) struct LogWriter {
    path: PathBuf,
    file: File,
    /// The length of the file in bytes, where the next row goes.
    end: u64,
    placeholders: Vec<String>,
    /// The number of columns after its own: metrics, which are empty in new rows.
    metrics: usize,
}

/// The result of opening a log.
pub(crate) enum Opened {
    Ready(LogWriter),
    /// Its columns are not the ones that this version writes.
    OtherColumns,
}

impl LogWriter {
    /// Opens a log or creates it; a torn last row is cut off, damaged rows before it are left as they are. `more` are columns
    /// after those of every log.
    pub(crate) fn open(path: &Path, plan: &Plan, more: &[&str]) -> Result<Opened, StoreError> {
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(StoreError::io("write", path))?;
        let size = file.metadata().map_err(StoreError::io("read", path))?.len();
        check_size(size, limits::LOG).map_err(StoreError::io("read", path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
        let placeholders = placeholders(plan);
        let mut own = columns(&placeholders);
        own.extend(more.iter().map(|&column| column.to_owned()));
        let (end, metrics) = match header(&bytes, &own) {
            Some((columns, length)) => {
                let metrics = columns.names().len() - own.len();
                (scan(&bytes, length, &|fields| columns.check(fields), &mut |_| ()), metrics)
            }
            // A header torn by a crash: there are no rows.
            None if !bytes.contains(&b'\n') => (0, 0),
            None => return Ok(Opened::OtherColumns),
        };
        if end < bytes.len() {
            // Not otherwise, so that the time of a log that is whole stays that of its last row.
            file.set_len(end as u64).map_err(StoreError::io("write", path))?;
        }
        let mut log = LogWriter { path: path.to_owned(), file, end: end as u64, placeholders, metrics };
        if end == 0 {
            log.append(&line(own))?;
        }
        Ok(Opened::Ready(log))
    }

    /// The row of a cell that ended; the fingerprint is its model's, `more` are the fields of the further columns.
    pub(crate) fn row(&self, record: &Record, fingerprint: &Digest, more: &[String]) -> Vec<u8> {
        let mut row = fields(record, fingerprint, &self.placeholders);
        row.extend_from_slice(more);
        let mut row = defused(row.iter().map(String::as_str));
        row.resize(row.len() + self.metrics, String::new());
        line(row)
    }

    /// Whether a log can be continued, or need not be because there is none.
    pub(crate) fn would_continue(path: &Path, plan: &Plan) -> Result<bool, StoreError> {
        match maquette_files::read(path, limits::LOG) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            read => {
                let bytes = read.map_err(StoreError::io("read", path))?;
                Ok(!bytes.contains(&b'\n') || header(&bytes, &columns(&placeholders(plan))).is_some())
            }
        }
    }

    /// Appends rows of workers; false, and nothing is written, if one of them has other columns.
    pub(crate) fn append_rows(&mut self, rows: &[LogRow]) -> Result<bool, StoreError> {
        let own = columns(&self.placeholders);
        let mut lines = Vec::new();
        for row in rows {
            let Some(fields) = row.fields_in(&own) else { return Ok(false) };
            let mut fields = defused(fields.iter());
            fields.resize(fields.len() + self.metrics, String::new());
            lines.extend(line(fields));
        }
        self.append(&lines).map(|()| true)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes whole rows. When it returns they outlast a power failure; if it fails there is none of them.
    pub(crate) fn append(&mut self, rows: &[u8]) -> Result<(), StoreError> {
        let start = self.file.seek(SeekFrom::Start(self.end));
        let written = start.and_then(|_| self.file.write_all(rows)).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.end += rows.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Remove partial rows; if this fails, the next writer cuts it off.
                let _ = self.file.set_len(self.end);
                Err(StoreError::io("write", &self.path)(error))
            }
        }
    }
}

/// The header of a log and its length, if it has these columns, perhaps with metrics after them.
fn header(bytes: &[u8], own: &[String]) -> Option<(Columns, usize)> {
    let written = line(own.to_vec());
    let last = written.len() - 1;
    if !bytes.starts_with(&written[..last]) || !matches!(bytes.get(last), Some(b'\n' | b',')) {
        return None;
    }
    match log_scan::record(bytes) {
        log_scan::Record::Whole(names, length) => {
            let names: Vec<String> = names.iter().map(str::to_owned).collect();
            are_metrics(&names[own.len()..]).then(|| Some((Columns::of(names)?, length)))?
        }
        _ => None,
    }
}

/// A log with a single row.
pub(crate) fn row_with_header(record: &Record, fingerprint: &Digest, placeholders: &[String]) -> Vec<u8> {
    let mut log = line(columns(placeholders));
    log.extend(line(defused(fields(record, fingerprint, placeholders).iter().map(String::as_str))));
    log
}

fn fields(record: &Record, fingerprint: &Digest, placeholders: &[String]) -> Vec<String> {
    let cell = &record.cell;
    let (status, image, pixels, reused, error) = match &record.outcome {
        Outcome::Done { image, pixels, reused } => {
            ("done", image.as_str(), Some(pixels), reused.as_deref(), None)
        }
        Outcome::Failed { error } => ("failed", "", None, None, Some(error.as_str())),
    };
    let mut fields = vec![cell.id.to_string(), status.to_owned(), image.to_owned()];
    for setting in SETTINGS {
        fields.push(cell.settings.get(setting.name).map_or(String::new(), |value| value.to_string()));
    }
    for placeholder in placeholders {
        let var = cell.vars.iter().find(|(name, _)| **name == **placeholder);
        fields.push(var.map_or(String::new(), |(_, value)| value.to_string()));
    }
    fields.push(fingerprint.to_string());
    fields.push(record.seconds.map_or(String::new(), |seconds| format!("{seconds:.3}")));
    let rest = [record.device.as_deref(), reused, error];
    fields.extend(rest.map(|text| text.unwrap_or_default().to_owned()));
    let Remarks { nsfw_content_detected, note } = &record.remarks;
    fields.push(nsfw_content_detected.map_or(String::new(), |verdict| verdict.to_string()));
    fields.push(note.clone().unwrap_or_default());
    fields.push(pixels.map_or(String::new(), Digest::to_string));
    fields.push(FORMAT.to_string());
    fields
}

/// A table as CSV, the first row being its header. Fields that a spreadsheet would run as formulas get an apostrophe in
/// front.
pub fn csv_table(rows: &[Vec<String>]) -> Vec<u8> {
    rows.iter().flat_map(|row| line(defused(row.iter().map(String::as_str)))).collect()
}

fn defused<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<String> {
    fields.map(|field| defuse(field).into_owned()).collect()
}

/// One line of CSV.
pub(crate) fn line(fields: Vec<String>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing into memory cannot fail, and there is only one record.
    let _ = writer.write_record(fields);
    writer.into_inner().unwrap_or_default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_reported() {
        let path = Path::new("/dev/full");
        let file = File::options().write(true).open(path).unwrap();
        let mut log = LogWriter { path: path.to_owned(), file, end: 0, placeholders: vec![], metrics: 0 };
        let error = log.append(b"a row\n").unwrap_err();
        assert_eq!(error.to_string(), "cannot write `/dev/full`");
        assert!(error.hint().unwrap().starts_with("The disk is full."), "{error:?}");
    }
}
