//! The drafts of a run: `drafts.csv`, with the pictures in `drafts/`.
//!
//! The file has the columns of the log, and `final`: the cell that a draft stands for. It is apart from the log, so that a
//! draft never passes for the cell: what counts finished cells, verifies or exports them reads the log.

use crate::log::{log_files, parse, planned_columns, refuse_newer};
use crate::log_columns::FINAL;
use crate::{LogRow, Run, Shard, Status, StoreError};
use maquette_core::CellId;
use maquette_files::limits;
use std::collections::HashMap;

/// The folder of the pictures.
pub(crate) const FOLDER: &str = "drafts";

impl Run {
    /// The finished drafts, by the cell that each stands for. A cell that the log lists has its own picture, which takes
    /// precedence; its draft may have been removed.
    pub fn drafts(&self) -> Result<HashMap<CellId, LogRow>, StoreError> {
        let mut drafts = HashMap::new();
        // Of several drafts of one cell, the last one counts.
        for row in self.draft_rows()? {
            if let Some(cell) = row.final_cell().filter(|_| row.status() == Status::Done) {
                drafts.insert(cell, row);
            }
        }
        Ok(drafts)
    }

    /// Every valid row, also of drafts that failed or were replaced. A damaged row is as good as none: its draft is still
    /// in `.cells`.
    pub(crate) fn draft_rows(&self) -> Result<Vec<LogRow>, StoreError> {
        let columns =
            || planned_columns(self.dir()).map(|columns| [columns, vec![FINAL.to_owned()]].concat());
        let mut rows = Vec::new();
        for path in log_files(self.dir(), "drafts")? {
            let bytes = maquette_files::read(&path, limits::LOG).map_err(StoreError::io("read", &path))?;
            let (found, _) = parse(&path, &bytes, &columns);
            refuse_newer(&path, &found)?;
            rows.extend(found);
        }
        Ok(rows)
    }
}

/// The name of the file of one writer.
pub(crate) fn file_name(shard: Option<Shard>) -> String {
    shard.map_or_else(|| "drafts.csv".to_owned(), |shard| shard.log_name().replacen("log", "drafts", 1))
}
