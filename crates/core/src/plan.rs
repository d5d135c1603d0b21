//! The grid, and what each of its cells is.
//!
//! A plan stands alone: axes, starting values, and what was known of models and pictures. Cells are coordinates until
//! somebody asks for their settings, so a million of them cost a few bytes each. Making a plan, and checking every
//! value in it, is the planner's work.

use crate::{Axis, FoundFile, ModelCard, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The grid of one experiment. Its cells are numbered in the file's order, the last axis moving fastest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The experiment's name: the file's name without its ending.
    pub name: String,
    /// Heading of the sheets; empty for none.
    pub title: String,
    /// What every cell starts from: settings that the file gives, defaults included, placeholders unfilled.
    pub base: Vec<(String, Value)>,
    /// What each placeholder stands for where no axis says otherwise; also the order of the log's columns.
    pub vars: Vec<(String, Value)>,
    /// The axes, in the file's order.
    pub axes: Vec<Axis>,
    /// Which positions of the grid are cells.
    pub kept: Selection,
    /// The seeds drawn at random while planning, by axis.
    pub drawn: BTreeMap<String, Vec<i64>>,
    /// Every model that a cell may name.
    pub models: BTreeMap<String, ModelCard>,
    /// Every picture that a cell may name, by its path as written.
    pub pictures: BTreeMap<String, FoundFile>,
    /// Every weight file that a cell may name, by [`WeightsKind::key`].
    pub weights: BTreeMap<String, FoundFile>,
    /// How to lay out the sheets.
    pub sheet: SheetSpec,
    /// By which version of the rules its cells are named; see [`crate::NAMING`].
    #[serde(default = "first_naming")]
    pub naming: u32,
}

/// The naming of plans that say nothing of it.
fn first_naming() -> u32 {
    1
}

/// Which positions of the grid are cells, after `[[exclude]]` and `[[only]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// All of them.
    All,
    /// These, ascending.
    Only(Vec<u32>),
}

/// How to lay out the sheets: which axes run where. Axes not named make pages.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SheetSpec {
    /// The axis that runs down; chosen by the reporter when `None`.
    pub rows: Option<String>,
    /// The axis that runs across; chosen by the reporter when `None`.
    pub columns: Option<String>,
    /// Longest edge of a thumbnail in pixels; the pictures' own size up to a cap when `None`.
    pub cell: Option<u32>,
    /// Longest edge of a page in pixels; the reporter's own cap when `None`.
    pub max: Option<u32>,
}

impl Plan {
    /// How many cells there are, identical ones counted each.
    pub fn len(&self) -> usize {
        match &self.kept {
            Selection::All => self.grid_len(),
            Selection::Only(positions) => positions.len(),
        }
    }

    /// Whether the filters left nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many positions the grid has before the filters.
    pub fn grid_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// Where the cell with that number lies: for each axis, which of its values.
    pub fn coordinates(&self, index: usize) -> Vec<usize> {
        let position = match &self.kept {
            Selection::All => index,
            Selection::Only(positions) => positions[index] as usize,
        };
        self.coordinates_at(position)
    }

    /// Where a position of the unfiltered grid lies.
    pub fn coordinates_at(&self, mut position: usize) -> Vec<usize> {
        let mut coordinates = vec![0; self.axes.len()];
        for (coordinate, axis) in coordinates.iter_mut().zip(&self.axes).rev() {
            *coordinate = position % axis.values.len();
            position /= axis.values.len();
        }
        coordinates
    }

    /// What a list says of the cell at some coordinates, such as `Edvard Munch, strength 0.3, seed 7`; empty when
    /// the plan has no axes.
    pub fn label(&self, coordinates: &[usize]) -> String {
        let described = coordinates.iter().zip(&self.axes).map(|(&at, axis)| axis.describe(at));
        described.collect::<Vec<_>>().join(", ")
    }

    /// The number of the cell at some coordinates; `None` where a filter left a hole or nothing is.
    pub fn index_at(&self, coordinates: &[usize]) -> Option<usize> {
        if coordinates.len() != self.axes.len() {
            return None;
        }
        let mut position = 0;
        for (&coordinate, axis) in coordinates.iter().zip(&self.axes) {
            if coordinate >= axis.values.len() {
                return None;
            }
            position = position * axis.values.len() + coordinate;
        }
        match &self.kept {
            Selection::All => Some(position),
            Selection::Only(positions) => positions.binary_search(&u32::try_from(position).ok()?).ok(),
        }
    }
}
