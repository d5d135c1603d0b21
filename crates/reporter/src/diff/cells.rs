//! The cells of a comparison with their values as text, and the changes between two of them.

use maquette_core::{Axis, AxisValue, CellId, Kind, Plan, Setting, SettingError};
use serde::Serialize;

/// A setting or placeholder that differs; a value is `None` if the setting does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Left value.
    pub left: Option<String>,
    /// Right value.
    pub right: Option<String>,
}

/// A cell of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellAt {
    /// Its index in its plan.
    pub index: usize,
    /// Its name.
    pub id: CellId,
    /// Its coordinates: axis and label.
    pub coordinates: Vec<(String, String)>,
}

/// A cell with its values as text.
pub(super) struct CellValues {
    pub index: usize,
    pub coordinates: Vec<usize>,
    id: CellId,
    /// Settings that apply, then placeholders, in the log's order.
    values: Vec<(String, String)>,
}

impl CellValues {
    /// Every cell of a plan.
    pub fn all(plan: &Plan) -> Result<Vec<CellValues>, SettingError> {
        (0..plan.len()).map(|index| CellValues::of(plan, index)).collect()
    }

    fn of(plan: &Plan, index: usize) -> Result<CellValues, SettingError> {
        let cell = plan.cell(index)?;
        let settings =
            cell.settings.iter().map(|(setting, value)| (setting.name.to_owned(), value.to_string()));
        let vars = cell.vars.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Ok(CellValues {
            index,
            id: cell.id,
            values: settings.chain(vars).collect(),
            coordinates: cell.coordinates,
        })
    }

    /// A setting or placeholder; `None` if it does not apply.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The position on an axis whose values this cell has.
    pub fn position_on(&self, axis: &Axis) -> Option<usize> {
        let matches = |value: &AxisValue| {
            value.set.iter().all(|(name, value)| self.value(name) == Some(value.to_string().as_str()))
        };
        axis.values.iter().position(matches)
    }

    pub fn at(&self, plan: &Plan) -> CellAt {
        let label = |(axis, &at): (&Axis, &usize)| (axis.name.clone(), axis.values[at].label.clone());
        let coordinates = plan.axes.iter().zip(&self.coordinates).map(label).collect();
        CellAt { index: self.index, id: self.id, coordinates }
    }
}

/// All settings and placeholders that differ between two cells. A text with the same template is left out, as its
/// placeholders are listed.
pub(super) fn changes(
    left: &CellValues,
    left_plan: &Plan,
    right: &CellValues,
    right_plan: &Plan,
) -> Vec<Change> {
    let more = right.values.iter().filter(|(name, _)| left.value(name).is_none());
    let names = left.values.iter().chain(more).map(|(name, _)| name);
    let owned = |value: Option<&str>| value.map(str::to_owned);
    let is_text = |name: &str| Setting::named(name).is_some_and(|setting| setting.kind == Kind::Text);
    let same_template = |name: &str| {
        is_text(name)
            && left_plan.value(name, &left.coordinates) == right_plan.value(name, &right.coordinates)
    };
    names
        .filter(|name| left.value(name) != right.value(name) && !same_template(name))
        .map(|name| Change {
            name: name.clone(),
            left: owned(left.value(name)),
            right: owned(right.value(name)),
        })
        .collect()
}
