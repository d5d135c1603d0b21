//! What did not vary: the settings that all cells of a plan share.
//!
//! Answered from the axes alone, so that it costs the same for ten cells and for a million. What a setting is in a cell,
//! and which axes decide it, the plan says.

use maquette_core::{Plan, SETTINGS, Selection, Setting, Template};
use std::collections::BTreeSet;

/// The settings that are the same in every cell, then the placeholders that no listed text shows, in the log's order.
///
/// Placeholders that do not vary are filled; a text whose placeholders do vary is given with them still in it, as
/// `portrait of a cat, by {artist}`. What does not apply, such as `strength` without `init_image`, empty texts, and
/// settings that people seldom set where they are at their default, are left out.
pub fn constants(plan: &Plan) -> Vec<(String, String)> {
    let shared = shared(plan);
    let is_setting = |name: &str| Setting::named(name).is_some();
    let value = |name: &str| shared.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut shown = BTreeSet::new();
    let mut constants = Vec::new();
    for (name, text) in shared.iter().filter(|(name, _)| is_setting(name)) {
        let text = filled(text, |var| {
            shown.insert(var.to_owned());
            value(var).unwrap_or_else(|| format!("{{{var}}}"))
        });
        constants.push((name.clone(), text));
    }
    let rest = shared.iter().filter(|(name, _)| !is_setting(name) && !shown.contains(name));
    constants.extend(rest.cloned());
    constants.retain(|(name, value)| !value.is_empty() && !untouched(name, value));
    constants
}

/// Whether it is one of the settings that people seldom set, at its default.
fn untouched(name: &str, value: &str) -> bool {
    let default = Setting::named(name).filter(|setting| setting.rare).and_then(Setting::default);
    default.is_some_and(|default| default.to_string() == value)
}

/// The settings and then the placeholders that are the same in every cell, as written: placeholders unfilled.
pub(crate) fn shared(plan: &Plan) -> Vec<(String, String)> {
    let used = used(plan);
    let settings = SETTINGS.iter().map(|setting| setting.name);
    let names = settings.chain(plan.vars.iter().map(|(name, _)| name.as_str()));
    names.filter_map(|name| Some((name.to_owned(), only_value(plan, &used, name)?))).collect()
}

/// The sizes that the plan's pictures have, in pixels.
pub(crate) fn sizes(plan: &Plan) -> Vec<(u32, u32)> {
    let used = used(plan);
    let mut sizes = BTreeSet::new();
    each(plan, &used, &["width", "height"], |coordinates| {
        let edge = |name| u32::try_from(plan.value(name, coordinates)?.as_integer()?).ok();
        if let (Some(width), Some(height)) = (edge("width"), edge("height")) {
            sizes.insert((width, height));
        }
        true
    });
    sizes.into_iter().collect()
}

fn filled(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let Ok(template) = Template::parse(text) else { return text.to_owned() };
    let values: Vec<(&str, String)> = template.placeholders().map(|name| (name, value(name))).collect();
    let filled = template.fill(|name| {
        values.iter().find(|(placeholder, _)| *placeholder == name).map(|(_, value)| value.as_str())
    });
    filled.unwrap_or_else(|_| text.to_owned())
}

/// For each axis, the positions that some cell has.
fn used(plan: &Plan) -> Vec<Vec<usize>> {
    match &plan.kept {
        Selection::All => plan.axes.iter().map(|axis| (0..axis.values.len()).collect()).collect(),
        Selection::Only(_) => {
            let mut used = vec![BTreeSet::new(); plan.axes.len()];
            for index in 0..plan.len() {
                for (used, at) in used.iter_mut().zip(plan.coordinates(index)) {
                    used.insert(at);
                }
            }
            used.into_iter().map(|positions| positions.into_iter().collect()).collect()
        }
    }
}

/// The value that a setting or placeholder has in every cell; `None` when it varies or does not apply.
fn only_value(plan: &Plan, used: &[Vec<usize>], name: &str) -> Option<String> {
    let mut values = BTreeSet::new();
    each(plan, used, &[name], |coordinates| {
        values.insert(plan.value(name, coordinates).map(|value| value.to_string()));
        values.len() < 2
    });
    if values.len() == 1 { values.pop_first().flatten() } else { None }
}

/// Calls `visit` for each combination of the axes that decide the named settings, the others at their first position,
/// until it says `false`.
fn each(plan: &Plan, used: &[Vec<usize>], names: &[&str], mut visit: impl FnMut(&[usize]) -> bool) {
    let relevant = plan.axes_of(names.iter().flat_map(|name| plan.unfilled_decided_by(name)));
    let Some(mut coordinates) =
        used.iter().map(|positions| positions.first().copied()).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let mut turn = vec![0; relevant.len()];
    loop {
        for (&axis, &at) in relevant.iter().zip(&turn) {
            coordinates[axis] = used[axis][at];
        }
        if !visit(&coordinates) {
            return;
        }
        // Counts like an odometer, the last axis fastest.
        let Some(wheel) = (0..turn.len()).rev().find(|&wheel| turn[wheel] + 1 < used[relevant[wheel]].len())
        else {
            return;
        };
        turn[wheel] += 1;
        turn[wheel + 1..].fill(0);
    }
}
