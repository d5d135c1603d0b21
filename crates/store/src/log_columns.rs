//! The columns of a log: those that this version writes, and those that every row must have.

use crate::fields::Fields;
use maquette_core::{CellId, Plan, SETTINGS, shortened};
use maquette_files::is_plain_path;
use std::ops::Range;
use std::sync::Arc;

/// The columns of a log, with the positions of those that every row must have.
pub(crate) struct Columns {
    names: Arc<[String]>,
    cell: usize,
    status: usize,
    /// Every log has it; drafts and tests of older ones may not.
    image: Option<usize>,
    format: Option<usize>,
}

impl Columns {
    /// `None` if they are not the columns of a log.
    pub(crate) fn of(names: Vec<String>) -> Option<Columns> {
        let place = |name: &str| names.iter().position(|column| column == name);
        Some(Columns {
            cell: place("cell")?,
            status: place("status")?,
            image: place("image"),
            format: own_tail(&names).rfind(|&at| names[at] == FORMAT_COLUMN),
            names: names.into(),
        })
    }

    /// Their names, shared by every row.
    pub(crate) fn names(&self) -> Arc<[String]> {
        Arc::clone(&self.names)
    }

    /// The cell of a row and how it ended, or the problem, as the rest of a sentence about its line.
    pub(crate) fn check(&self, fields: &Fields) -> Result<(CellId, Status), String> {
        if fields.len() != self.names.len() {
            return Err(format!("has {} fields; allowed: {}", fields.len(), self.names.len()));
        }
        let cell = fields
            .get(self.cell)
            .unwrap_or_default()
            .parse()
            .map_err(|_| "has no valid cell name".to_owned())?;
        let status = match fields.get(self.status).unwrap_or_default() {
            "done" => Status::Done,
            "failed" => Status::Failed,
            _ => return Err("has no valid status; allowed: `done`, `failed`".to_owned()),
        };
        let image = self.image.and_then(|at| fields.get(at)).filter(|image| !image.is_empty());
        if let Some(image) = image.filter(|image| !is_plain_path(image)) {
            return Err(format!("names `{}`, which is not a picture in the run's folder", shortened(image)));
        }
        Ok((CellId(cell), status))
    }

    /// The version of the log in which a row was written; those before the column `format` count as the first.
    pub(crate) fn format(&self, fields: &Fields) -> u32 {
        self.format.and_then(|at| fields.get(at)?.parse().ok()).unwrap_or(1)
    }
}

/// The column of drafts with the cell that a draft stands for; a log has none.
pub(crate) const FINAL: &str = "final";

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its picture is in the run folder.
    Done,
    /// It has no picture; the `error` column says why.
    Failed,
}

/// The log's own columns after the settings and placeholders.
const TAIL: [&str; 9] = [
    "fingerprint",
    "seconds",
    "device",
    "reused",
    "error",
    "nsfw_content_detected",
    "note",
    "pixels",
    FORMAT_COLUMN,
];

const FORMAT_COLUMN: &str = "format";

/// Where the log's own columns end: the columns after that are metrics.
pub(crate) fn own_end(names: &[String]) -> usize {
    own_tail(names).end
}

/// The places of the log's own columns after the placeholders, which may have the same names.
pub(crate) fn own_tail(names: &[String]) -> Range<usize> {
    let first = names.iter().rposition(|name| name == TAIL[0]).unwrap_or(names.len());
    // Older versions wrote fewer of them.
    first..first + names[first..].iter().take_while(|name| TAIL.contains(&name.as_str())).count()
}

/// Whether these can be the names of metrics, and not the first row after a damaged line break.
pub(crate) fn are_metrics(names: &[String]) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    names.iter().all(|name| !name.is_empty() && name.len() < 64 && name.chars().all(plain))
}

/// Every column, in order.
pub(crate) fn columns(placeholders: &[String]) -> Vec<String> {
    let settings = SETTINGS.iter().map(|setting| setting.name.to_owned());
    let head = ["cell", "status", "image"].map(str::to_owned).into_iter();
    head.chain(settings).chain(placeholders.iter().cloned()).chain(TAIL.map(str::to_owned)).collect()
}

/// Every placeholder that a cell of the plan may have, in the order of its cells.
pub(crate) fn placeholders(plan: &Plan) -> Vec<String> {
    let swept = plan.axes.iter().flat_map(|axis| axis.values.iter().take(1)).flat_map(|value| &value.set);
    let mut names: Vec<String> = Vec::new();
    for (name, _) in plan.vars.iter().chain(&plan.base).chain(swept) {
        if SETTINGS.iter().all(|setting| setting.name != name) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}
