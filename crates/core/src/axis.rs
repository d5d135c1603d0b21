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

impl Axis {
    /// What a list or a file name says of one position: words stand for themselves, a bare number needs the axis'
    /// name before it to mean anything.
    pub fn describe(&self, at: usize) -> String {
        let label = &self.values[at].label;
        let words = label.starts_with(|first: char| !first.is_ascii_digit() && !"+-.".contains(first));
        if words && !matches!(label.as_str(), "true" | "false") {
            label.clone()
        } else {
            format!("{} {label}", self.name)
        }
    }
}

/// One position on an axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AxisValue {
    /// What a sheet says of it.
    pub label: String,
    /// What it sets: one entry for a sweep, several for a zip. Names are settings or placeholders.
    pub set: Vec<(String, Value)>,
}
