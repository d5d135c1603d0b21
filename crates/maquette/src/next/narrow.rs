//! Which values of each axis stay in the next experiment.

use super::constants::constants;
use super::exclude::{NewAxis, NewValue, left_out};
use super::judged::Judged;
use crate::error::Error;
use crate::ranking::RankedValue;
use maquette_core::{Axis, Kind, Plan, Setting, Value, steps_left};
use maquette_planner::{AxisText, AxisValueText, ExperimentText, FinerValue, finer, given_labels};
use std::collections::BTreeSet;

/// The narrowed experiment. `decisions` gets what was decided, a sentence each.
pub(super) fn narrowed(judged: &Judged<'_>, decisions: &mut Vec<String>) -> Result<ExperimentText, Error> {
    let plan = judged.plan;
    let mut axes: Vec<NewAxis> = Vec::new();
    for at in 0..plan.axes.len() {
        let axis = narrow(judged, at);
        decisions.extend(axis.remarks.iter().map(|remark| format!("{}: {remark}", axis.name)));
        axes.push(axis);
    }
    let mut others = Vec::new();
    let exclude = left_out(judged, &mut axes, &mut others)?;
    let mut set = Vec::new();
    // Without an axis of seeds, the one seed is new.
    if !plan.axes.iter().flat_map(|axis| &axis.values[0].set).any(|(name, _)| is_seed(name)) {
        let seed =
            plan.base.iter().find(|(name, _)| name == "seed").and_then(|(_, value)| value.as_unsigned());
        let next = seed.unwrap_or(0).wrapping_add(1);
        others.push(format!("a new seed, {next}"));
        set.push(("seed".to_owned(), Value::seed(next)));
    }
    let mut remarks = vec![format!("After {}, by {}.", judged.run, sources(judged))];
    remarks.extend(others.iter().map(|other| format!("- {other}")));
    decisions.extend(others);
    let mut text = ExperimentText { remarks, exclude, ..ExperimentText::default() };
    text.axes = axes.into_iter().map(NewAxis::into_text).collect();
    constants(plan, &mut text, &set);
    Ok(text)
}

/// What the decisions are based on.
fn sources(judged: &Judged<'_>) -> String {
    let count = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    match (judged.picked.len(), judged.ranking.entered) {
        (picks, 0) => count(picks, "pick"),
        (0, votes) => count(votes, "vote"),
        (picks, votes) => format!("{} and {}", count(picks, "pick"), count(votes, "vote")),
    }
}

/// The new form of one axis. Its remark says what was decided.
fn narrow(judged: &Judged<'_>, at: usize) -> NewAxis {
    let plan = judged.plan;
    let axis = &plan.axes[at];
    let zip = axis.values[0].set.len() != 1 || axis.values[0].set[0].0 != axis.name;
    if !zip && is_seed(&axis.name) {
        return new_seeds(axis);
    }
    let winners = winners(judged, at);
    let given = given_labels(axis);
    let label = |value: usize| match zip {
        // A zip has labels for all of its rows or for none.
        true => given.iter().any(Option::is_some).then(|| axis.values[value].label.clone()),
        false => given[value].map(str::to_owned),
    };
    let old = |value: usize| NewValue {
        label: label(value),
        set: axis.values[value].set.clone(),
        from: vec![value],
    };
    let undecided = judged.picked.is_empty() && winners.len() == axis.values.len();
    let finer = if zip || undecided { None } else { finer_axis(plan, axis, &winners, &old) };
    let (mut values, mut what) = match finer {
        Some(values) => (values, format!("finer around {}", labels(axis, winners.iter().copied()))),
        None => {
            let what = match (winners.len(), axis.values.len()) {
                (1, 1) => "its one value stays".to_owned(),
                (some, all) if some == all => format!("all {all} values stay"),
                (1, _) => format!("{} stays", labels(axis, winners.iter().copied())),
                _ => format!("{} stay", labels(axis, winners.iter().copied())),
            };
            (winners.iter().map(|&value| old(value)).collect::<Vec<_>>(), what)
        }
    };
    if zip && new_seeds_of_zip(axis, &mut values) {
        what += ", with new seeds";
    }
    let stays =
        |value: &usize| values.iter().any(|new| new.from == [*value] && new.set == axis.values[*value].set);
    let left: Vec<usize> = match zip {
        true => (0..axis.values.len()).filter(|value| !winners.contains(value)).collect(),
        false => (0..axis.values.len()).filter(|value| !stays(value)).collect(),
    };
    what += &why_left(judged, at, &left);
    NewAxis { name: axis.name.clone(), zip, free: false, remarks: vec![what], values }
}

/// The values of a numeric axis with new ones between them.
fn finer_axis(
    plan: &Plan,
    axis: &Axis,
    winners: &BTreeSet<usize>,
    old: &dyn Fn(usize) -> NewValue,
) -> Option<Vec<NewValue>> {
    let values: Vec<Value> = axis.values.iter().map(|value| value.set[0].1.clone()).collect();
    let winners: Vec<usize> = winners.iter().copied().collect();
    let finer = finer(&axis.name, &values, &winners, &|value| allowed(plan, &axis.name, value))?;
    let new = |FinerValue { value, from }| match from[..] {
        [one] if values[one] == value => old(one),
        _ => NewValue { label: None, set: vec![(axis.name.clone(), value)], from },
    };
    Some(finer.into_iter().map(new).collect())
}

/// As many new seeds as before, after the largest.
fn new_seeds(axis: &Axis) -> NewAxis {
    let used: Vec<u64> = axis.values.iter().filter_map(|value| value.set[0].1.as_unsigned()).collect();
    let count = axis.values.len();
    let first = first_new(&used, count);
    let values = (0..count as u64).map(|nth| NewValue {
        label: None,
        set: vec![(axis.name.clone(), Value::seed(first + nth))],
        from: vec![],
    });
    let what =
        if count == 1 { format!("a new seed, {first}") } else { format!("{count} new seeds, from {first}") };
    NewAxis { name: axis.name.clone(), zip: false, free: true, remarks: vec![what], values: values.collect() }
}

/// The seed after the largest one; 0 if no `count` seeds are left there.
fn first_new(used: &[u64], count: usize) -> u64 {
    let next = used.iter().max().and_then(|largest| largest.checked_add(1));
    next.filter(|next| next.checked_add(count as u64).is_some()).unwrap_or(0)
}

/// Gives the rows of a zip new seeds, the same for the same old seed; whether it has seeds.
fn new_seeds_of_zip(axis: &Axis, values: &mut [NewValue]) -> bool {
    let slots: Vec<usize> =
        (0..axis.values[0].set.len()).filter(|&slot| is_seed(&axis.values[0].set[slot].0)).collect();
    for &slot in &slots {
        let seed = |set: &[(String, Value)]| set[slot].1.as_unsigned().unwrap_or(0);
        let used: Vec<u64> = axis.values.iter().map(|value| seed(&value.set)).collect();
        let distinct: BTreeSet<u64> = values.iter().map(|value| seed(&value.set)).collect();
        let first = first_new(&used, distinct.len());
        for value in values.iter_mut() {
            let nth = distinct.range(..seed(&value.set)).count();
            value.set[slot].1 = Value::seed(first + nth as u64);
        }
    }
    !slots.is_empty()
}

/// The values that stay: the picked ones, and those that win by the votes.
fn winners(judged: &Judged<'_>, at: usize) -> BTreeSet<usize> {
    let ranked = &judged.ranking.axes[at].values;
    if judged.picked.is_empty() {
        let worse: BTreeSet<usize> =
            ranked.iter().filter(|value| value.worse).map(|value| value.value).collect();
        return (0..judged.plan.axes[at].values.len()).filter(|value| !worse.contains(value)).collect();
    }
    let better = |value: &RankedValue| ranked.iter().any(|other| other.worse && value.low > other.high);
    let by_votes = ranked.iter().filter(|value| !value.worse && better(value)).map(|value| value.value);
    picks_of(judged, at).into_iter().map(|(value, _)| value).chain(by_votes).collect()
}

/// The picked values of an axis, with the number of their picks.
fn picks_of(judged: &Judged<'_>, at: usize) -> Vec<(usize, usize)> {
    let mut counts = vec![0; judged.plan.axes[at].values.len()];
    for &index in &judged.picked {
        counts[judged.plan.coordinates(index)[at]] += 1;
    }
    counts.into_iter().enumerate().filter(|(_, count)| *count > 0).collect()
}

/// The values that are left out, and why; empty if there are none.
fn why_left(judged: &Judged<'_>, at: usize, left: &[usize]) -> String {
    let axis = &judged.plan.axes[at];
    let ranked = &judged.ranking.axes[at].values;
    let mut never = Vec::new();
    let mut text = String::new();
    for &value in left {
        match ranked.iter().find(|ranked| ranked.value == value).zip(ranked.first()) {
            Some((RankedValue { low, high, worse: true, .. }, best)) => {
                let label = labels(axis, [value]);
                text += &format!(
                    "; left out as clearly worse by the votes: {label} ({low:.2} to {high:.2}, the first {:.2} to {:.2})",
                    best.low, best.high
                );
            }
            _ => never.push(value),
        }
    }
    if !never.is_empty() {
        text += &format!("; left out as never picked: {}", labels(axis, never));
    }
    text
}

fn labels(axis: &Axis, values: impl IntoIterator<Item = usize>) -> String {
    let label = |value: usize| format!("`{}`", axis.values[value].label);
    values.into_iter().map(label).collect::<Vec<_>>().join(", ")
}

fn is_seed(name: &str) -> bool {
    Setting::named(name).is_some_and(|setting| setting.kind == Kind::Seed)
}

/// Whether a new value of an axis can be rendered with all other values of the plan.
fn allowed(plan: &Plan, name: &str, value: &Value) -> bool {
    let Some(setting) = Setting::named(name) else { return true };
    if setting.check(value).is_err() {
        return false;
    }
    let number = value.as_number().unwrap_or(0.0);
    let numbers = |of: &str| -> Vec<f64> {
        let written: Vec<f64> = plan.written(of).filter_map(Value::as_number).collect();
        if of == name { vec![number] } else { written }
    };
    match name {
        "width" | "height" => {
            plan.models.values().all(|card| number % f64::from(card.multiple_of.max(1)) == 0.0)
        }
        // Image-to-image must do a step.
        "strength" | "steps" if !plan.written("init_image").all(Value::is_empty) => {
            let steps = numbers("steps");
            let strengths = numbers("strength");
            steps
                .iter()
                .all(|&steps| strengths.iter().all(|&strength| steps_left(steps as u32, strength) > 0))
        }
        _ => true,
    }
}

impl NewAxis {
    fn into_text(self) -> AxisText {
        let value = |NewValue { label, set, .. }: NewValue| AxisValueText { label, set };
        AxisText {
            name: self.name,
            zip: self.zip,
            remarks: self.remarks,
            values: self.values.into_iter().map(value).collect(),
        }
    }
}
