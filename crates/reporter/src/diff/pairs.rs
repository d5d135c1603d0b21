//! Pairs the cells of two runs, or neighbours along an axis of one run.

use super::axes::{LoneAxis, MatchedAxes, Paired, Source, match_axes};
use super::cells::CellValues;
use maquette_core::{Axis, Plan, SettingError};

/// Why neighbours along an axis cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlongError {
    /// The run has no such axis.
    #[error("`{name}` is not an axis of the run; allowed: {}", list(allowed))]
    NoSuchAxis {
        /// What was asked for.
        name: String,
        /// The names of the axes, quoted.
        allowed: Vec<String>,
    },
    /// The axis has no neighbours.
    #[error(
        "`{name}` has a single value, so there is nothing to compare; allowed: an axis with two values or more"
    )]
    OneValue {
        /// The axis.
        name: String,
    },
    /// The plan was edited by hand.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

fn list(allowed: &[String]) -> String {
    if allowed.is_empty() { "none, there are no axes".to_owned() } else { allowed.join(", ") }
}

/// Which cells are compared.
pub(super) struct Pairs {
    pub both: Vec<(usize, usize)>,
    pub left: Vec<CellValues>,
    /// `None` if they are the left ones.
    pub right: Option<Vec<CellValues>>,
    pub only_left: Vec<usize>,
    pub only_right: Vec<usize>,
    /// How they were paired, a sentence each.
    pub sentences: Vec<String>,
    /// Whether axes of the same name, or of one value, were all that was needed.
    pub by_name: bool,
}

/// Pairs the cells of two runs, each given by name and plan; each cell is used once at most. All numbers are indices in the
/// plans.
pub(super) fn pair(left: (&str, &Plan), right: (&str, &Plan)) -> Result<Pairs, SettingError> {
    let left = Paired { name: left.0, plan: left.1, cells: CellValues::all(left.1)? };
    let right = Paired { name: right.0, plan: right.1, cells: CellValues::all(right.1)? };
    let MatchedAxes { right: sources, left: lone, sentences, by_name } = match_axes(&left, &right);

    let mut taken = vec![false; right.cells.len()];
    let (mut both, mut only_left) = (Vec::new(), Vec::new());
    for cell in &left.cells {
        let coordinates = right.plan.axes.iter().zip(&sources).map(|(axis, source)| match source {
            Source::Axis(at, positions) => positions[cell.coordinates[*at]],
            Source::Values => cell.position_on(axis),
            Source::First => Some(0),
        });
        let coordinates: Option<Vec<usize>> = coordinates.collect();
        let other = coordinates.and_then(|coordinates| right.plan.index_at(&coordinates));
        let fits = |(at, lone): &(usize, LoneAxis), other: usize| match lone {
            LoneAxis::First => cell.coordinates[*at] == 0,
            LoneAxis::Values => {
                let set = &left.plan.axes[*at].values[0].set;
                set.iter().all(|(name, _)| cell.value(name) == right.cells[other].value(name))
            }
        };
        match other.filter(|&other| !taken[other] && lone.iter().all(|lone| fits(lone, other))) {
            Some(other) => {
                taken[other] = true;
                both.push((cell.index, other));
            }
            None => only_left.push(cell.index),
        }
    }
    let only_right = (0..right.cells.len()).filter(|&index| !taken[index]).collect();
    Ok(Pairs { both, left: left.cells, right: Some(right.cells), only_left, only_right, sentences, by_name })
}

/// Pairs each cell of a run with the one that has the next value on an axis and is the same on the others. Values of
/// numbers are taken in ascending order, others in the file's.
pub(super) fn neighbours(plan: &Plan, axis: &str) -> Result<Pairs, AlongError> {
    let at = plan.axes.iter().position(|known| known.name == axis).ok_or_else(|| AlongError::NoSuchAxis {
        name: axis.to_owned(),
        allowed: plan.axes.iter().map(|axis| format!("`{}`", axis.name)).collect(),
    })?;
    let order = ascending(&plan.axes[at]);
    if order.len() < 2 {
        return Err(AlongError::OneValue { name: axis.to_owned() });
    }
    let left = CellValues::all(plan)?;
    let mut both = Vec::new();
    for cell in &left {
        let mut coordinates = cell.coordinates.clone();
        let place = order.iter().position(|&position| position == coordinates[at]).unwrap_or(0);
        // A cell that was filtered out is passed over.
        let next = order[place + 1..].iter().find_map(|&position| {
            coordinates[at] = position;
            plan.index_at(&coordinates)
        });
        both.extend(next.map(|next| (cell.index, next)));
    }
    let sentences = vec![format!("Each cell is paired with the one that has the next value of `{axis}`.")];
    let (only_left, only_right) = (Vec::new(), Vec::new());
    Ok(Pairs { both, left, right: None, only_left, only_right, sentences, by_name: true })
}

/// The positions on an axis, by ascending value if all labels are numbers.
fn ascending(axis: &Axis) -> Vec<usize> {
    let mut order: Vec<usize> = (0..axis.values.len()).collect();
    let numbers: Option<Vec<f64>> = axis.values.iter().map(number).collect();
    if let Some(numbers) = numbers {
        order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    }
    order
}

fn number(value: &maquette_core::AxisValue) -> Option<f64> {
    match &value.set[..] {
        [(_, value)] => value.as_number(),
        _ => None,
    }
}
