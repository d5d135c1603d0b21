//! Which cells of a plan are distinct pictures, and why the others are merged with them.
//!
//! Cells with the same name are one picture. A note counts them and, for a limited number of groups, explains what
//! their cells differ in and why that has no effect.

use maquette_core::{Applies, Axis, CellId, Plan, Setting, SettingError, Settings};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// How many groups of merged cells are explained, and how many cells of each are examined.
const GROUPS: usize = 64;
const MEMBERS: usize = 1000;

/// How many cells are named at once by one thread.
const CHUNK: usize = 1000;

/// How many reasons a note contains.
const REASONS: usize = 3;

/// Cells by their number in the plan, with their names.
type Named = Vec<(usize, CellId)>;

/// The first cell of each name, in the grid's order: its number in the plan, and its name.
///
/// Cells are resolved and named on all cores; the result does not depend on how many there are.
pub fn distinct(plan: &Plan) -> Result<Vec<(usize, CellId)>, SettingError> {
    let mut named = sorted(plan)?;
    named.dedup_by_key(|(_, id)| *id);
    named.par_sort_unstable_by_key(|(index, _)| *index);
    Ok(named)
}

/// The same, and a note where cells were merged.
pub(crate) fn named(plan: &Plan) -> Result<(Named, Option<String>), SettingError> {
    let mut named = sorted(plan)?;
    let merged = named.chunk_by(|(_, one), (_, other)| one == other).filter(|group| group.len() > 1);
    let mut firsts: Vec<(usize, &[(usize, CellId)])> = merged.map(|group| (group[0].0, group)).collect();
    if firsts.len() > GROUPS {
        firsts.select_nth_unstable_by_key(GROUPS, |(first, _)| *first);
        firsts.truncate(GROUPS);
    }
    firsts.sort_unstable_by_key(|(first, _)| *first);
    let members = |(_, group): &(usize, &[(usize, CellId)])| {
        group.iter().take(MEMBERS).map(|(index, _)| *index).collect()
    };
    let groups: Vec<Vec<usize>> = firsts.iter().map(members).collect();
    named.dedup_by_key(|(_, id)| *id);
    named.par_sort_unstable_by_key(|(index, _)| *index);
    if groups.is_empty() {
        return Ok((named, None));
    }
    let mut reasons: Vec<String> = Vec::new();
    for group in &groups {
        for reason in reasons_of(plan, group)? {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    let mut note = format!("{} cells, {} distinct", plan.len(), named.len());
    let more = if reasons.len() > REASONS { ", and more" } else { "" };
    reasons.truncate(REASONS);
    if !reasons.is_empty() {
        note += &format!(": {}{more}", reasons.join("; "));
    }
    Ok((named, Some(note)))
}

/// Every cell with its name, sorted by name, then by number.
fn sorted(plan: &Plan) -> Result<Named, SettingError> {
    let chunks = (0..plan.len().div_ceil(CHUNK)).into_par_iter().map(|chunk| {
        let indices = chunk * CHUNK..plan.len().min((chunk + 1) * CHUNK);
        Ok(indices.clone().zip(plan.ids(indices)?).collect::<Named>())
    });
    let mut named = chunks.collect::<Result<Vec<Named>, SettingError>>()?.concat();
    named.par_sort_unstable_by_key(|(index, id)| (*id, *index));
    Ok(named)
}

/// Why the cells of a group are one picture: a sentence for each axis that they differ on.
fn reasons_of(plan: &Plan, group: &[usize]) -> Result<Vec<String>, SettingError> {
    let settings = plan.cell(group[0])?.settings;
    let mut used: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); plan.axes.len()];
    for &index in group {
        for (used, at) in used.iter_mut().zip(plan.coordinates(index)) {
            used.insert(at);
        }
    }
    let varied = plan.axes.iter().zip(&used).filter(|(_, used)| used.len() > 1);
    Ok(varied.map(|(axis, used)| reason(axis, used, &settings)).collect())
}

/// Why several positions of an axis make no difference: one sentence.
fn reason(axis: &Axis, used: &BTreeSet<usize>, settings: &Settings) -> String {
    let label = |at: usize| match axis.values[at].label.as_str() {
        "" => "(empty)".to_owned(),
        label => label.to_owned(),
    };
    let labels: Vec<String> = used.iter().map(|&at| label(at)).collect();
    let (first, last) = (used.first().copied().unwrap_or(0), used.last().copied().unwrap_or(0));
    let numbers = labels.iter().all(|label| label.parse::<f64>().is_ok());
    let values = match &labels[..] {
        [one, other] => format!("{one} and {other}"),
        [one, .., other] if numbers && last - first + 1 == labels.len() => format!("{one} to {other}"),
        [one, two, rest @ ..] if rest.len() > 1 => format!("{one}, {two} and {} others", rest.len()),
        _ => labels.join(", "),
    };
    let all = if labels.len() == 2 { "both" } else { "all" };
    let same = used.iter().all(|&at| axis.values[at].set == axis.values[first].set);
    if same && labels.iter().all(|label| *label == labels[0]) {
        return format!("`{}` is {} {} times", axis.name, labels[0], labels.len())
            .replace(" 2 times", " twice");
    }
    let setting = match &axis.values[first].set[..] {
        [(name, _)] => Setting::named(name),
        _ => None,
    };
    let why = match setting {
        _ if same => "have the same value".to_owned(),
        Some(setting) if settings.get(setting.name).is_none() => match setting.applies {
            Applies::With(other) => format!("have no effect without `{other}`"),
            Applies::NonZero(other) => format!("have no effect at `{other}` 0"),
            Applies::AboveOne(other) => format!("have no effect at `{other}` 1"),
            Applies::Schedulers(_) | Applies::KnownWith(_) => {
                format!("have no effect under {}", settings.scheduler)
            }
            Applies::Trained(_) if settings.lora.is_empty() && settings.embeddings.is_empty() => {
                "have no effect without a subject".to_owned()
            }
            Applies::Trained(_) => "have no effect on a textual inversion".to_owned(),
            Applies::Embedded => {
                "have no effect on a model that does not take `guidance_scale` as an input".to_owned()
            }
            Applies::Guided => "have no effect without guidance".to_owned(),
            Applies::Always | Applies::Known => (setting.same_effect)(settings),
        },
        Some(setting) => (setting.same_effect)(settings),
        None => String::new(),
    };
    match why.as_str() {
        "" => format!("`{}` {values} make no difference", axis.name),
        why => format!("`{}` {values} {all} {why}", axis.name),
    }
}
