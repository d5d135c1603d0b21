//! A run checked against itself: pictures, their own texts, the log and the names that its plan gives.
//!
//! Nothing is rendered here and nothing written.

use maquette_core::{CellId, Digest, Kind, NUMERICS, Setting};
use maquette_interop::{GenerationInfo, Origin, read_metadata};
use maquette_picture::decode;
use maquette_store::{LogRow, Run, Status, check_pixels};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// What checking a run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Pictures that the log says are there.
    pub pictures: usize,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
    /// Cells that could not be rendered when the run was made.
    pub failed: usize,
    /// Cells of the plan that have not ended.
    pub unrendered: usize,
}

/// Something wrong with one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The cell that the log names.
    pub cell: CellId,
    /// The picture, relative to the run.
    pub image: String,
    /// What is wrong, as a sentence without its full stop.
    pub problem: String,
}

/// Checks every picture of a run's log; `places` are the names that its plan gives.
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

/// The first thing that is wrong with a picture.
fn problem(run: &Run, row: &LogRow, image: &str, places: &HashMap<CellId, usize>) -> Option<String> {
    let path = run.dir().join(image);
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
    let Some(Origin::Cell(info)) = origin else { return Some("it does not say which cell it is".to_owned()) };
    if info.cell != row.cell() {
        return Some(format!(
            "it says it is the cell {}, the log says {}",
            info.cell.short(),
            row.cell().short()
        ));
    }
    if !image.contains(&row.cell().short()) {
        return Some(format!("its name does not end with {}", row.cell().short()));
    }
    if let Some(name) = disagreement(&info, row) {
        return Some(format!("its own text and the log disagree about {name}"));
    }
    if let Some(problem) = check_pixels(&pixels, &info, row) {
        return Some(format!("it {problem}"));
    }
    if places.contains_key(&row.cell()) {
        return None;
    }
    Some(match info.numerics {
        Some(numerics) if numerics != NUMERICS => {
            format!(
                "it was rendered with numerics {numerics}, and this is {NUMERICS}: its name cannot be found again"
            )
        }
        _ => "plan.json gives no cell this name".to_owned(),
    })
}

/// What a picture's own text and its row say differently. Names of files may differ: a picture that another run has
/// made goes by the names of that run, and the content is part of the cell's name.
fn disagreement(info: &GenerationInfo, row: &LogRow) -> Option<String> {
    if row.fingerprint() != Some(info.fingerprint.to_string().as_str()) {
        return Some("fingerprint".to_owned());
    }
    let named = |name: &str| {
        let setting = Setting::named(name);
        name == "model" || setting.is_some_and(|it| matches!(it.kind, Kind::Path | Kind::Weights))
    };
    let values = info.values();
    let told =
        |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
    let names = maquette_core::SETTINGS.iter().map(|setting| setting.name).filter(|name| !named(name));
    // An empty column stands for the empty text and for what does not apply.
    let differs = |name: &str| told(name).unwrap_or_default() != row.get(name).unwrap_or_default();
    names.into_iter().find(|name| differs(name)).map(str::to_owned)
}

/// A sample of cells in the order of their names: evenly spread over the names, which are digests and so in no order of
/// meaning; with a seed, those whose digest with it comes first.
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
    fn a_sample_is_spread_and_the_same_each_time() {
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
