//! `[sheet]`: the layout of the contact sheets.

use crate::grid::Grid;
use crate::nearest::{did_you_mean, list};
use crate::problem::{Problem, Problems};
use crate::tree::{Data, Entry, find};
use maquette_core::SheetSpec;

/// A thumbnail's longest edge, in pixels.
pub(crate) const CELL: std::ops::RangeInclusive<i64> = 16..=4096;

/// A page's longest edge, in pixels.
pub(crate) const PAGE: std::ops::RangeInclusive<i64> = 256..=65_500;

/// Reads the table. Rows or columns that name an axis removed by a later layer are left for the reporter to choose.
pub(crate) fn read(entries: &[Entry], grid: &Grid, dropped: &[String], problems: &mut Problems) -> SheetSpec {
    let mut axis = |key: &str| {
        let entry = find(entries, key)?;
        problems.keep(axis_name(entry, grid, dropped)).flatten()
    };
    let (rows, columns) = (axis("rows"), axis("columns"));
    if rows.is_some()
        && rows == columns
        && let Some(entry) = find(entries, "columns")
    {
        let message = "`rows` and `columns` are the same axis; allowed: two different ones";
        problems.add(
            Problem::at(&entry.node.at, message)
                .help("omit one of them: it is chosen from the remaining axes"),
        );
    }
    let mut edge = |key: &str, allowed: std::ops::RangeInclusive<i64>| {
        let entry = find(entries, key)?;
        let size = match entry.node.data {
            Data::Integer(n) => u32::try_from(n).ok().filter(|&size| allowed.contains(&size.into())),
            _ => None,
        };
        if size.is_none() {
            let message = format!(
                "`{key}` is {}; allowed: a whole number of pixels from {} to {}",
                entry.node.what(),
                allowed.start(),
                allowed.end()
            );
            problems.add(Problem::at(&entry.node.at, message));
        }
        size
    };
    SheetSpec { rows, columns, cell: edge("cell", CELL), max: edge("max", PAGE) }
}

pub(crate) fn axis_name(entry: &Entry, grid: &Grid, dropped: &[String]) -> Result<Option<String>, Problem> {
    let names: Vec<&str> = grid.axes.iter().map(|axis| axis.name.as_str()).collect();
    let allowed = match names[..] {
        [] => "there are no axes".to_owned(),
        _ => format!("allowed: {}", list(names.iter().copied())),
    };
    let Some(name) = entry.node.text() else {
        let message = format!("`{}` is {}; allowed: the name of an axis", entry.key, entry.node.what());
        return Err(Problem::at(&entry.node.at, message).help(allowed));
    };
    if names.contains(&name) {
        return Ok(Some(name.to_owned()));
    }
    if dropped.iter().any(|removed| removed == name) {
        return Ok(None);
    }
    let problem = Problem::at(&entry.node.at, format!("`{}` is `{name}`, which is not an axis", entry.key));
    Err(match grid.axis_of(name) {
        Some((axis, _)) => {
            let zip = &grid.axes[axis].name;
            problem.help(format!("`{name}` is a column of [zip.{zip}]: write `{zip}`"))
        }
        None => problem.help(allowed).help_if(did_you_mean(name, names.iter().copied())),
    })
}
