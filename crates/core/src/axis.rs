//! An axis: one dimension of the grid.

use crate::Value;
use serde::{Deserialize, Serialize};

/// One dimension of the grid: a key of `[sweep]` or one `[zip.*]` block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The setting or placeholder that it sweeps, or the name of the zip block.
    pub name: String,
    /// Its values in the file's order; never empty.
    pub values: Vec<AxisValue>,
}

/// One position on an axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AxisValue {
    /// What a sheet says of it.
    pub label: String,
    /// What it sets: one entry for a sweep, several for a zip. Names are settings or placeholders.
    pub set: Vec<(String, Value)>,
}
