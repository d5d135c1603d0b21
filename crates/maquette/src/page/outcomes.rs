//! The columns of the log that say how cells ended: outcomes, then metrics.

use maquette_core::CellId;
use maquette_metrics::Metric;
use maquette_reporter::page::{Better, ColumnType, LoggedColumn};
use maquette_store::{Log, LogRow};
use std::collections::HashMap;

/// A column of the log's own: name, type, text in a row, and one line about it.
type Outcome = (&'static str, ColumnType, fn(&LogRow) -> Option<String>, &'static str);

/// The outcomes. The digest of the pixels is left out: it says nothing to a reader, and takes much room.
const OUTCOMES: &[Outcome] = &[
    ("fingerprint", ColumnType::Text, |row| owned(row.fingerprint()), "The digest of the model's files."),
    (
        "seconds",
        ColumnType::Number,
        |row| row.seconds().map(|seconds| seconds.to_string()),
        "The cell's share of the engine's time.",
    ),
    ("device", ColumnType::Text, |row| owned(row.device()), "The device that rendered it."),
    (
        "reused",
        ColumnType::Text,
        |row| owned(row.reused()),
        "The run that rendered it, if it was another one.",
    ),
    ("error", ColumnType::Text, |row| owned(row.error()), "Why it failed."),
    (
        "nsfw_content_detected",
        ColumnType::Boolean,
        |row| row.nsfw_content_detected().map(|flagged| flagged.to_string()),
        "The safety checker's verdict.",
    ),
    ("note", ColumnType::Text, |row| owned(row.note()), "Deviations from the requested settings."),
];

/// The outcomes and metrics of these cells, those that any cell has.
pub(super) fn columns(cells: &[CellId], log: &Log) -> Vec<LoggedColumn> {
    let rows: HashMap<CellId, &LogRow> = log.rows.iter().map(|row| (row.cell(), row)).collect();
    let rows: Vec<Option<&LogRow>> = cells.iter().map(|cell| rows.get(cell).copied()).collect();
    let outcomes = OUTCOMES.iter().map(|(name, r#type, get, help)| LoggedColumn {
        name: (*name).to_owned(),
        is_metric: false,
        r#type: Some(*r#type),
        help: (*help).to_owned(),
        better: None,
        range: None,
        texts: rows.iter().map(|row| row.and_then(get).unwrap_or_default()).collect(),
    });
    outcomes.chain(metrics(&rows)).filter(|column| column.texts.iter().any(|text| !text.is_empty())).collect()
}

/// The metrics in the order of the log.
fn metrics(rows: &[Option<&LogRow>]) -> Vec<LoggedColumn> {
    let mut columns: Vec<LoggedColumn> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let Some(row) = row else { continue };
        for (name, text) in row.metrics() {
            let place = columns.iter().position(|column| column.name == name).unwrap_or_else(|| {
                columns.push(metric(name, rows.len()));
                columns.len() - 1
            });
            columns[place].texts[at] = text.to_owned();
        }
    }
    columns
}

/// The empty column of a metric. One that this version does not know has no help.
fn metric(name: &str, count: usize) -> LoggedColumn {
    let known = Metric::named(name);
    let better = known.and_then(|metric| match metric.better {
        maquette_metrics::Better::Higher => Some(Better::Higher),
        maquette_metrics::Better::Lower => Some(Better::Lower),
        maquette_metrics::Better::Neither => None,
    });
    LoggedColumn {
        name: name.to_owned(),
        is_metric: true,
        r#type: known.map(|metric| if metric.text { ColumnType::Text } else { ColumnType::Number }),
        help: known.map_or(String::new(), |metric| format!("{}.", metric.about)),
        better,
        range: known.map(|metric| metric.range).filter(|range| *range != (None, None)),
        texts: vec![String::new(); count],
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}
