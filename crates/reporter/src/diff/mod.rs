//! Compares two runs, or neighbours inside one: settings, cells and pixels.
//!
//! Deliberately not here: choosing the runs, and finding their pictures.

mod axes;
mod cells;
mod measure;
mod pairs;
mod sheet;
mod text;

pub use cells::{CellAt, Change};
pub use measure::{Likeness, Pixels};
pub use pairs::AlongError;
pub use sheet::{DiffPage, diff_pages, render_diff};

use crate::constants::shared;
use crate::draw::Tile;
use cells::changes;
use maquette_core::{AxisValue, Plan, SettingError};
use pairs::Pairs;
use rayon::prelude::*;
use serde::Serialize;

/// One of the two runs.
pub struct Side<'a> {
    /// Its name, such as `mucha@1`.
    pub name: &'a str,
    /// Its plan, which determines settings and names of its cells.
    pub plan: &'a Plan,
    /// Loads a cell by its index in the plan; called on several threads at once.
    pub load: &'a (dyn Fn(usize) -> Tile + Sync),
}

/// Everything that differs between two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// Name of the left run.
    pub left: String,
    /// Name of the right run.
    pub right: String,
    /// How cells were paired, a sentence each.
    pub pairing: Vec<String>,
    /// Whether they were paired by axes of the same name alone.
    #[serde(skip)]
    by_name: bool,
    /// Settings and placeholders that all cells of a run share and that differ between the runs, as written.
    pub settings: Vec<Change>,
    /// Pairs of corresponding cells, in the left plan's order.
    pub pairs: Vec<Pair>,
    /// Cells of the left run that have no counterpart.
    pub only_left: Vec<CellAt>,
    /// Cells of the right run that have no counterpart.
    pub only_right: Vec<CellAt>,
}

/// Two cells at the same coordinates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The left cell.
    pub left: CellAt,
    /// The right cell.
    pub right: CellAt,
    /// Settings and placeholders that differ in this pair, except those that differ between the runs as a whole. If texts
    /// differ only in their placeholders, the placeholders are listed instead.
    pub settings: Vec<Change>,
    /// Whether all settings have the same text, including those of the whole runs.
    pub same_settings: bool,
    /// How the pictures differ.
    pub pixels: Pixels,
}

/// How many pairs there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Pairs of pictures that are identical in every pixel.
    pub identical: usize,
    /// Pairs of pictures that differ.
    pub different: usize,
    /// Pairs of pictures that differ, in pixels or size, although all settings have the same text.
    pub unexplained: usize,
    /// Pairs of pictures of different sizes.
    pub sizes: usize,
    /// Pairs with a missing picture on one side or both.
    pub no_picture: usize,
}

/// Compares two runs.
///
/// Cells are paired by the values, or else the labels, of axes of the same name or with the same values; an axis that only
/// one run has is matched with the other run's setting of that name, or else its first value is. So cells are paired even if
/// a setting was changed, values were added, or an axis was renamed; [`Diff::pairing`] says how. Both pictures of each pair
/// are loaded, compared and dropped. Fails only for a plan that was edited by hand.
pub fn diff(left: &Side, right: &Side) -> Result<Diff, SettingError> {
    let settings = plan_changes(left.plan, right.plan);
    let pairs = pairs::pair((left.name, left.plan), (right.name, right.plan))?;
    Ok(compared(left, right, settings, &pairs))
}

/// Compares the neighbours along an axis of one run: each cell with the one that has the next value, for every combination
/// of the other axes.
pub fn diff_along(run: &Side, axis: &str) -> Result<Diff, AlongError> {
    let pairs = pairs::neighbours(run.plan, axis)?;
    let next = format!("the next {axis}");
    let right = Side { name: &next, plan: run.plan, load: run.load };
    Ok(compared(run, &right, Vec::new(), &pairs))
}

/// Loads and compares the pictures of all pairs.
fn compared(left: &Side, right: &Side, settings: Vec<Change>, pairs: &Pairs) -> Diff {
    let right_cells = pairs.right.as_ref().unwrap_or(&pairs.left);
    let compare = |&(left_index, right_index): &(usize, usize)| {
        let (left_cell, right_cell) = (&pairs.left[left_index], &right_cells[right_index]);
        let all = changes(left_cell, left.plan, right_cell, right.plan);
        let own = |change: &Change| settings.iter().all(|listed| listed.name != change.name);
        let pixels = measure::compare(&(left.load)(left_index), &(right.load)(right_index));
        Pair {
            left: left_cell.at(left.plan),
            right: right_cell.at(right.plan),
            same_settings: all.is_empty(),
            settings: all.into_iter().filter(own).collect(),
            pixels,
        }
    };
    Diff {
        left: left.name.to_owned(),
        right: right.name.to_owned(),
        pairing: pairs.sentences.clone(),
        by_name: pairs.by_name,
        pairs: pairs.both.par_iter().map(compare).collect(),
        only_left: pairs.only_left.iter().map(|&index| pairs.left[index].at(left.plan)).collect(),
        only_right: pairs.only_right.iter().map(|&index| right_cells[index].at(right.plan)).collect(),
        settings,
    }
}

impl Diff {
    /// Whether nothing differs: the same settings, the same cells, and the same pixels or missing pictures.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
            && self.only_left.is_empty()
            && self.only_right.is_empty()
            && self.pairs.iter().all(|pair| pair.same_settings && pair.pixels.is_same())
    }

    /// How many pairs there are of each kind.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for pair in &self.pairs {
            match pair.pixels {
                Pixels::Identical => counts.identical += 1,
                Pixels::Different { .. } => counts.different += 1,
                Pixels::Sizes { .. } => counts.sizes += 1,
                Pixels::NoPicture { .. } => counts.no_picture += 1,
            }
            counts.unexplained += usize::from(pair.is_unexplained());
        }
        counts
    }
}

impl Pair {
    /// Whether the settings are the same but the pixels are not: a file that a setting names, the program or the machine
    /// changed.
    pub fn is_unexplained(&self) -> bool {
        self.same_settings && matches!(self.pixels, Pixels::Different { .. } | Pixels::Sizes { .. })
    }
}

/// The settings and placeholders that are constant in both runs and differ between them.
fn plan_changes(left: &Plan, right: &Plan) -> Vec<Change> {
    let (left_shared, right_shared) = (shared(left), shared(right));
    let find = |shared: &[(String, String)], name: &str| {
        shared.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let varies = |plan: &Plan, name: &str| {
        let sets = |value: &AxisValue| value.set.iter().any(|(set, _)| set == name);
        plan.axes.iter().any(|axis| axis.values.len() > 1 && axis.values.iter().any(sets))
    };
    let more = right_shared.iter().filter(|(name, _)| find(&left_shared, name).is_none());
    let names = left_shared.iter().chain(more).map(|(name, _)| name);
    names
        .filter(|name| !varies(left, name) && !varies(right, name))
        .map(|name| Change {
            left: find(&left_shared, name),
            right: find(&right_shared, name),
            name: name.clone(),
        })
        .filter(|change| change.left != change.right)
        .collect()
}
