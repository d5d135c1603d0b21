//! Matches the axes of two runs, whose cells are then paired: by name, by their values under another name, or an axis of
//! one run with the values that the other run has.

use super::cells::CellValues;
use maquette_core::{Axis, Plan, Setting, Value};
use std::collections::BTreeSet;

/// A run of which cells are paired.
pub(super) struct Paired<'a> {
    pub name: &'a str,
    pub plan: &'a Plan,
    pub cells: Vec<CellValues>,
}

/// How the axes of two runs correspond.
pub(super) struct MatchedAxes {
    /// How the position on each axis of the right run is found for a left cell.
    pub right: Vec<Source>,
    /// The axes that only the left run has.
    pub left: Vec<(usize, LoneAxis)>,
    /// How cells are paired, a sentence each, for people.
    pub sentences: Vec<String>,
    /// Whether axes of the same name, or of one value, were all that was needed.
    pub by_name: bool,
}

/// How the position on an axis of the right run is found for a left cell.
pub(super) enum Source {
    /// From an axis of the left run: for each of its positions, the position on the right axis.
    Axis(usize, Vec<Option<usize>>),
    /// From the left cell's own values.
    Values,
    /// Always the first.
    First,
}

/// Which positions on an axis of the left run have counterparts.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum LoneAxis {
    /// Those with the values of the right cell.
    Values,
    /// The first.
    First,
}

/// Matches every axis of either run.
pub(super) fn match_axes(left: &Paired, right: &Paired) -> MatchedAxes {
    let (left_axes, right_axes) = (&left.plan.axes, &right.plan.axes);
    let mut partner: Vec<Option<usize>> =
        right_axes.iter().map(|axis| left_axes.iter().position(|other| other.name == axis.name)).collect();
    let mut sentences = Vec::new();
    let same: Vec<&str> = right_axes
        .iter()
        .zip(&partner)
        .filter(|(axis, partner)| {
            partner.is_some_and(|at| axis.values.len().max(left_axes[at].values.len()) > 1)
        })
        .map(|(axis, _)| axis.name.as_str())
        .collect();
    if !same.is_empty() {
        sentences.push(format!("Cells are paired by the values of {}.", listed(&same)));
    }
    let plain = sentences.len();
    rename(left, right, &mut partner, &mut sentences);

    let mut sources = Vec::new();
    for (axis, partner) in right_axes.iter().zip(&partner) {
        sources.push(match partner {
            Some(at) => {
                let (positions, by_label) = align(&left_axes[*at], axis);
                if by_label > 0 {
                    let values = if by_label == 1 { "1 value is" } else { &format!("{by_label} values are") };
                    sentences
                        .push(format!("On `{}`, {values} paired by label: what it sets differs.", axis.name));
                }
                Source::Axis(*at, positions)
            }
            // A different value is reported as a setting that differs.
            None if axis.values.len() == 1 => Source::First,
            None if shares_values(&left.cells, axis) => {
                sentences.push(by_value(axis, right.name, left));
                Source::Values
            }
            None => {
                sentences.push(by_first(axis, right.name, left.name));
                Source::First
            }
        });
    }
    let mut lone = Vec::new();
    for (at, axis) in left_axes.iter().enumerate() {
        if axis.values.len() == 1 || partner.contains(&Some(at)) {
            continue;
        }
        if shares_values(&right.cells, axis) {
            sentences.push(by_value(axis, left.name, right));
            lone.push((at, LoneAxis::Values));
        } else {
            sentences.push(by_first(axis, left.name, right.name));
            lone.push((at, LoneAxis::First));
        }
    }
    MatchedAxes { right: sources, left: lone, by_name: sentences.len() == plain, sentences }
}

/// Finds axes that have another name in the other run, the best match first.
fn rename(left: &Paired, right: &Paired, partner: &mut [Option<usize>], sentences: &mut Vec<String>) {
    let (left_axes, right_axes) = (&left.plan.axes, &right.plan.axes);
    let mut candidates = Vec::new();
    for (to, axis) in right_axes.iter().enumerate().filter(|(to, _)| partner[*to].is_none()) {
        for (from, other) in left_axes.iter().enumerate() {
            let smaller = axis.values.len().min(other.values.len());
            let common = common_values(other, axis);
            if !partner.contains(&Some(from))
                && may_be_one(other, axis)
                && common > 0
                && 2 * common >= smaller
            {
                candidates.push((common, to, from));
            }
        }
    }
    candidates.sort_by_key(|&(common, to, from)| (std::cmp::Reverse(common), to, from));
    for (common, to, from) in candidates {
        if partner[to].is_none() && !partner.contains(&Some(from)) {
            partner[to] = Some(from);
            let values = if common == 1 { "value" } else { "values" };
            sentences.push(format!(
                "`{}` in {} is paired with `{}` in {}: they have {common} {values} in common.",
                left_axes[from].name, left.name, right_axes[to].name, right.name
            ));
        }
    }
}

/// Whether two axes with different names can be the same: they set the same, or as many placeholders, whose names are free.
fn may_be_one(one: &Axis, other: &Axis) -> bool {
    let (one, other) = (names(one), names(other));
    let differ = one.symmetric_difference(&other);
    one.len() == other.len() && differ.into_iter().all(|name| Setting::named(name).is_none())
}

fn names(axis: &Axis) -> BTreeSet<&str> {
    axis.values.iter().flat_map(|value| &value.set).map(|(name, _)| name.as_str()).collect()
}

fn common_values(one: &Axis, other: &Axis) -> usize {
    align(one, other).0.iter().flatten().count()
}

/// For each position on the left axis, the corresponding position on the right axis: one with the same values, or else
/// one with the same label. Each is used at most once. Also returns how many have only the label in common.
fn align(left: &Axis, right: &Axis) -> (Vec<Option<usize>>, usize) {
    // Values alone decide if a placeholder was renamed, or a zip block reordered.
    let same_names = names(left) == names(right);
    let values = |axis: &Axis| -> Vec<Vec<(String, String)>> {
        let text = |(name, value): &(String, Value)| {
            (if same_names { name.clone() } else { String::new() }, value.to_string())
        };
        let mut all: Vec<Vec<_>> =
            axis.values.iter().map(|value| value.set.iter().map(text).collect()).collect();
        all.iter_mut().for_each(|set| set.sort());
        all
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
        aligned.is_some()
    };
    let mut by_value = 0;
    for (at, aligned) in aligned.iter_mut().enumerate() {
        by_value += usize::from(take(aligned, &|other| left_values[at] == right_values[other]));
    }
    let mut all = 0;
    for (at, aligned) in aligned.iter_mut().enumerate() {
        all += usize::from(take(aligned, &|other| left.values[at].label == right.values[other].label));
    }
    (aligned, all - by_value)
}

/// Whether any of these cells has the values of a position on the axis.
fn shares_values(cells: &[CellValues], axis: &Axis) -> bool {
    cells.iter().any(|cell| cell.position_on(axis).is_some())
}

/// The sentence on an axis that only one run has, with values that the other run has as well.
fn by_value(axis: &Axis, with: &str, without: &Paired) -> String {
    let positions: BTreeSet<Option<usize>> =
        without.cells.iter().map(|cell| cell.position_on(axis)).collect();
    let positions: Vec<Option<usize>> = positions.into_iter().collect();
    match positions[..] {
        [Some(at)] => format!(
            "Only {with} varies `{}`: its cells with {}, the value in {}, are paired.",
            axis.name,
            label(axis, at),
            without.name
        ),
        _ => format!(
            "Only {with} has `{}` as an axis: cells are paired where {} has the same values.",
            axis.name, without.name
        ),
    }
}

/// The sentence on an axis that only one run has, and none of whose values the other run has.
fn by_first(axis: &Axis, with: &str, without: &str) -> String {
    format!(
        "Only {with} varies `{}`, and {without} has none of its values: its cells with {}, the first, are paired.",
        axis.name,
        label(axis, 0)
    )
}

fn label(axis: &Axis, at: usize) -> String {
    match axis.values[at].label.as_str() {
        "" => "(empty)".to_owned(),
        label => label.to_owned(),
    }
}

/// Names as a list in a sentence.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        names => names.concat(),
    }
}
