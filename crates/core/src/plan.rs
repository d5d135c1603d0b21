//! The plan: the grid of an experiment.
//!
//! A plan is self-contained: axes, base values, and the models and files they name. Cells are coordinates until their
//! settings are resolved, so a million of them take a few bytes each. The planner makes plans and checks every value in
//! them.

use crate::{Axis, CellId, FoundFile, ModelCard, Settings, Training, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The grid of one experiment. Its cells are numbered in the file's order, the last axis varying fastest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The experiment's name: the file's name without its extension.
    pub name: String,
    /// Heading of the sheets; empty for none.
    pub title: String,
    /// The base values of every cell: settings from the file and the table's defaults, placeholders unfilled.
    pub base: Vec<(String, Value)>,
    /// The value of each placeholder unless an axis sets it; also the order of the log's columns.
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
    /// The trainings that its cells need: one for each subject and model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trainings: Vec<Training>,
    /// How to lay out the sheets.
    pub sheet: SheetSpec,
    /// What to measure at the end of a run. It is not part of the run's identity: another one resumes the same run.
    #[serde(default)]
    pub metrics: MetricsSpec,
    /// The version of the rules by which its cells are named; see [`crate::NAMING`].
    #[serde(default = "first_naming")]
    pub naming: u32,
    /// The version of the arithmetic that rendered its cells; see [`crate::NUMERICS`].
    #[serde(default = "first_numerics")]
    pub numerics: u32,
    /// The run and cells that the experiment was derived from; `None` for one written by hand. Changes no cell's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<DerivedFrom>,
}

/// What an experiment was derived from: the parent run and the cells that were chosen in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DerivedFrom {
    /// The parent run, such as `mucha@1`.
    pub run: String,
    /// The chosen cells; may be empty.
    pub cells: Vec<CellId>,
}

/// The naming version of plans that do not contain one.
fn first_naming() -> u32 {
    1
}

/// The numerics of plans that do not contain one.
fn first_numerics() -> u32 {
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

/// How to lay out the sheets. Axes that are not named make pages.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SheetSpec {
    /// The axis that runs down; chosen by the reporter when `None`.
    pub rows: Option<String>,
    /// The axis that runs across; chosen by the reporter when `None`.
    pub columns: Option<String>,
    /// Longest edge of a thumbnail in pixels; the pictures' own size up to a limit when `None`.
    pub cell: Option<u32>,
    /// Longest edge of a page in pixels; the reporter's limit when `None`.
    pub max: Option<u32>,
}

/// What to measure in the pictures, and how: `[metrics]` of the experiment file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsSpec {
    /// The metrics that are measured at the end of a run.
    pub measure: Vec<String>,
    /// The axis along which neighbours are compared; the innermost axis of numbers that is not the seed when `None`.
    pub neighbours: Option<String>,
    /// The name of the model of each kind, such as `clip`, where it is not the default.
    pub models: BTreeMap<String, String>,
}

impl Plan {
    /// How many cells there are, duplicates included.
    pub fn len(&self) -> usize {
        match &self.kept {
            Selection::All => self.grid_len(),
            Selection::Only(positions) => positions.len(),
        }
    }

    /// Whether cells with these settings have classifier-free guidance, so that the negative prompt is used.
    pub fn guided(&self, settings: &Settings) -> bool {
        let card = self.models.get(&*settings.model);
        settings.guided_by(card.is_some_and(|card| card.guidance_embedding))
    }

    /// Whether any cell may have guidance in a part of its steps only.
    pub fn has_guidance_intervals(&self) -> bool {
        self.written("guidance_interval").any(|interval| interval.as_text() != Some("0-1"))
    }

    /// Whether the filters left no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many positions the grid has before the filters.
    pub fn grid_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// The coordinates of the cell with that index: for each axis, the index of its value.
    pub fn coordinates(&self, index: usize) -> Vec<usize> {
        self.coordinates_at(self.position(index))
    }

    /// The position in the unfiltered grid of the cell with that index.
    pub(crate) fn position(&self, index: usize) -> usize {
        match &self.kept {
            Selection::All => index,
            Selection::Only(positions) => positions[index] as usize,
        }
    }

    /// The coordinates of a position of the unfiltered grid.
    pub fn coordinates_at(&self, mut position: usize) -> Vec<usize> {
        let mut coordinates = vec![0; self.axes.len()];
        for (coordinate, axis) in coordinates.iter_mut().zip(&self.axes).rev() {
            *coordinate = position % axis.values.len();
            position /= axis.values.len();
        }
        coordinates
    }

    /// The label of the cell at some coordinates, such as `Edvard Munch, strength 0.3, seed 7`; empty if the plan has no
    /// axes.
    pub fn label(&self, coordinates: &[usize]) -> String {
        let described = coordinates.iter().zip(&self.axes).map(|(&at, axis)| axis.describe(at));
        described.collect::<Vec<_>>().join(", ")
    }

    /// The index of the cell at some coordinates; `None` if they are filtered out or out of range.
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
