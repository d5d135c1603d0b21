//! Checks a run against itself: pictures, their metadata, the log and the cells of its plan.
//!
//! Renders nothing and writes nothing.

use maquette_core::{CellId, Digest, Kind, Setting};
use maquette_interop::{GenerationInfo, Origin, read_metadata};
use maquette_picture::decode;
use maquette_store::{LogRow, Run, Status, check_pixels};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The result of checking a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Pictures that the log lists as done.
    pub pictures: usize,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
    /// Cells that could not be rendered when the run was made.
    pub failed: usize,
    /// Cells of the plan without a row in the log.
    pub unrendered: usize,
}

/// A problem with one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The picture's cell, by the log.
    pub cell: CellId,
    /// The picture, relative to the run.
    pub image: String,
    /// What is wrong, as a sentence without its full stop.
    pub problem: String,
}

/// Checks every picture of a run's log; `places` are the cells of its plan and their numbers.
pub(crate) fn check(run: &Run, log: &[LogRow], places: &HashMap<CellId, usize>) -> Checked {
    let done = log.iter().filter(|row| row.status() == Status::Done);
    let problems = done.clone().filter_map(|row| {
        let image = row.image().unwrap_or_default();
        let problem = problem(run, row, image, places)?;
        Some(Problem { cell: row.cell(), image: image.to_owned(), problem })
    });
    let ended: HashSet<CellId> = log.iter().map(LogRow::cell).collect();
    Checked {
        problems: problems.collect(),
        pictures: done.count(),
        failed: log.iter().filter(|row| row.status() == Status::Failed).count(),
        unrendered: places.keys().filter(|id| !ended.contains(id)).count(),
    }
}

/// The first problem with a picture.
fn problem(run: &Run, row: &LogRow, image: &str, places: &HashMap<CellId, usize>) -> Option<String> {
    let path = match run.picture(image) {
        Ok(path) => path,
        Err(error) => return Some(error.to_string()),
    };
    if !path.is_file() {
        return Some("the picture is missing".to_owned());
    }
    let pixels = match decode(&path) {
        Ok(pixels) => pixels,
        Err(error) => return Some(error.to_string()),
    };
    let origin = match read_metadata(&path) {
        Ok(metadata) => metadata.origin,
        Err(error) => return Some(error.to_string()),
    };
    let Some(Origin::Cell(info)) = origin else {
        return Some("its metadata does not name a cell".to_owned());
    };
    if info.cell != row.cell() {
        return Some(format!(
            "its metadata names the cell {}, the log names {}",
            info.cell.short(),
            row.cell().short()
        ));
    }
    if !image.contains(&row.cell().short()) {
        return Some(format!("its file name does not contain {}", row.cell().short()));
    }
    if let Some(name) = first_difference(&info, row) {
        return Some(format!("its metadata and the log differ in `{name}`"));
    }
    if let Some(problem) = check_pixels(&pixels, &info, row) {
        return Some(format!("it {problem}"));
    }
    (!places.contains_key(&row.cell())).then(|| "plan.json has no such cell".to_owned())
}

/// The first setting that differs between a picture's metadata and its row. Names of files may differ: a picture that
/// another run rendered has the names of that run, and the content is part of the cell's name.
fn first_difference(info: &GenerationInfo, row: &LogRow) -> Option<String> {
    if row.fingerprint() != Some(info.fingerprint.to_string().as_str()) {
        return Some("fingerprint".to_owned());
    }
    let is_file_name = |name: &str| {
        let setting = Setting::named(name);
        name == "model" || setting.is_some_and(|it| matches!(it.kind, Kind::Path | Kind::Weights))
    };
    let values = info.values();
    let recorded =
        |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
    let names = maquette_core::SETTINGS.iter().map(|setting| setting.name).filter(|name| !is_file_name(name));
    // An empty column is an empty text or a setting that does not apply.
    let differs = |name: &str| recorded(name).unwrap_or_default() != row.get(name).unwrap_or_default();
    names.into_iter().find(|name| differs(name)).map(str::to_owned)
}

/// A sample of cells, sorted by name. Without a seed it is evenly spread over the names, which are digests and so in
/// arbitrary order; with a seed it is the cells whose digests with the seed come first.
pub(crate) fn spread(cells: &[CellId], count: usize, seed: Option<u64>) -> Vec<CellId> {
    let count = count.min(cells.len());
    let mut sorted = cells.to_vec();
    sorted.sort_unstable();
    match seed {
        None => (0..count).map(|at| sorted[at * sorted.len() / count]).collect(),
        Some(seed) => {
            sorted.sort_by_key(|id| Digest::of(format!("{seed} {id}").as_bytes()));
            sorted.truncate(count);
            sorted.sort_unstable();
            sorted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_evenly_spread_and_reproducible() {
        let cells: Vec<CellId> = (0..100u8).map(|n| CellId(Digest::of(&[n]))).collect();
        let mut sorted = cells.clone();
        sorted.sort_unstable();
        assert_eq!(spread(&cells, 4, None), [sorted[0], sorted[25], sorted[50], sorted[75]]);
        assert_eq!(spread(&cells, 1000, None), sorted);
        assert_eq!(spread(&cells, 0, None), []);
        assert_eq!(spread(&[], 3, Some(1)), []);
        let one = spread(&cells, 10, Some(1));
        let backwards: Vec<CellId> = cells.iter().rev().copied().collect();
        assert_eq!(one, spread(&backwards, 10, Some(1)));
        assert_ne!(one, spread(&cells, 10, Some(2)));
        assert_eq!((one.len(), one.is_sorted()), (10, true));
    }
}
