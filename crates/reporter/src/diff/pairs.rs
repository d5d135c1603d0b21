//! Pairs the cells of two runs.

use maquette_core::{Axis, AxisValue, CellId, Kind, Plan, Setting, SettingError, Value};
use serde::Serialize;
use std::collections::BTreeSet;

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
    id: CellId,
    coordinates: Vec<usize>,
    /// Settings that apply, then placeholders, in the log's order.
    values: Vec<(String, String)>,
}

pub(super) struct Paired {
    pub both: Vec<(CellValues, CellValues)>,
    pub only_left: Vec<CellValues>,
    pub only_right: Vec<CellValues>,
}

/// How the position on an axis of the right run is found for a left cell.
enum Source {
    /// From an axis of the left run: for each of its positions, the position on the right axis.
    Axis(usize, Vec<Option<usize>>),
    /// From the left cell's own values.
    Values,
}

/// Pairs the cells of two plans; each cell is used once at most.
pub(super) fn pair(left: &Plan, right: &Plan) -> Result<Paired, SettingError> {
    let sources: Vec<Source> = right
        .axes
        .iter()
        .map(|axis| match left.axes.iter().position(|other| other.name == axis.name) {
            Some(at) => Source::Axis(at, align(&left.axes[at], axis)),
            None => Source::Values,
        })
        .collect();
    let lone_axes: Vec<&Axis> = left
        .axes
        .iter()
        .filter(|axis| axis.values.len() > 1 && right.axes.iter().all(|other| other.name != axis.name))
        .collect();

    let mut taken = BTreeSet::new();
    let mut paired = Paired { both: Vec::new(), only_left: Vec::new(), only_right: Vec::new() };
    for index in 0..left.len() {
        let cell = CellValues::of(left, index)?;
        let coordinates = right.axes.iter().zip(&sources).map(|(axis, source)| match source {
            Source::Axis(at, positions) => positions[cell.coordinates[*at]],
            Source::Values => cell.position_on(axis),
        });
        let coordinates: Option<Vec<usize>> = coordinates.collect();
        let other = coordinates.and_then(|coordinates| right.index_at(&coordinates));
        let other = other.filter(|index| !taken.contains(index)).map(|index| CellValues::of(right, index));
        let other = other.transpose()?.filter(|other| {
            // On an axis that only the left run has, only cells with the right run's value match.
            let mut names = lone_axes.iter().flat_map(|axis| axis.values[0].set.iter().map(|(name, _)| name));
            names.all(|name| cell.value(name) == other.value(name))
        });
        match other {
            Some(other) => {
                taken.insert(other.index);
                paired.both.push((cell, other));
            }
            None => paired.only_left.push(cell),
        }
    }
    for index in (0..right.len()).filter(|index| !taken.contains(index)) {
        paired.only_right.push(CellValues::of(right, index)?);
    }
    Ok(paired)
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

/// For each position on the left axis, the corresponding position on the right axis: one with the same values, or else
/// one with the same label. Each is used at most once.
fn align(left: &Axis, right: &Axis) -> Vec<Option<usize>> {
    let values = |axis: &Axis| -> Vec<Vec<(String, String)>> {
        let text = |(name, value): &(String, Value)| (name.clone(), value.to_string());
        axis.values.iter().map(|value| value.set.iter().map(text).collect()).collect()
    };
    let (left_values, right_values) = (values(left), values(right));
    let mut free: Vec<bool> = vec![true; right.values.len()];
    let mut aligned = vec![None; left.values.len()];
    let mut take = |aligned: &mut Option<usize>, fits: &dyn Fn(usize) -> bool| {
        if aligned.is_none() {
            *aligned = (0..free.len()).find(|&at| free[at] && fits(at));
            if let Some(at) = *aligned {
                free[at] = false;
            }
        }
    };
    for (at, aligned) in aligned.iter_mut().enumerate() {
        take(aligned, &|other| left_values[at] == right_values[other]);
    }
    for (at, aligned) in aligned.iter_mut().enumerate() {
        take(aligned, &|other| left.values[at].label == right.values[other].label);
    }
    aligned
}

impl CellValues {
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

    fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The position of this cell on an axis that its own plan lacks. An axis with a single value matches every cell; a
    /// different value is then reported as a setting that differs.
    fn position_on(&self, axis: &Axis) -> Option<usize> {
        let matches = |value: &AxisValue| {
            value.set.iter().all(|(name, value)| self.value(name) == Some(value.to_string().as_str()))
        };
        if axis.values.len() == 1 { Some(0) } else { axis.values.iter().position(matches) }
    }

    pub fn at(&self, plan: &Plan) -> CellAt {
        let label = |(axis, &at): (&Axis, &usize)| (axis.name.clone(), axis.values[at].label.clone());
        let coordinates = plan.axes.iter().zip(&self.coordinates).map(label).collect();
        CellAt { index: self.index, id: self.id, coordinates }
    }
}
