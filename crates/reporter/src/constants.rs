//! Constants: the settings that all cells of a plan share.
//!
//! They are computed from the axes, so the cost does not depend on the number of cells. The plan resolves settings and
//! knows which axes they depend on.

use maquette_core::{Plan, SETTINGS, Selection, Setting, Template};
use std::collections::BTreeSet;

/// The settings that are the same in every cell, then the placeholders that are in none of these texts, in the log's order.
///
/// Placeholders that do not vary are filled, others are kept, as in `portrait of a cat, by {artist}`. Left out are settings
/// that do not apply, such as `strength` without `init_image`, empty texts, and rarely used settings at their default.
pub fn constants(plan: &Plan) -> Vec<(String, String)> {
    let shared = shared(plan);
    let is_setting = |name: &str| Setting::named(name).is_some();
    let value = |name: &str| shared.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut filled_in = BTreeSet::new();
    let mut constants = Vec::new();
    for (name, text) in shared.iter().filter(|(name, _)| is_setting(name)) {
        let text = filled(text, |var| {
            filled_in.insert(var.to_owned());
            value(var).unwrap_or_else(|| format!("{{{var}}}"))
        });
        constants.push((name.clone(), text));
    }
    let rest = shared.iter().filter(|(name, _)| !is_setting(name) && !filled_in.contains(name));
    constants.extend(rest.cloned());
    constants.retain(|(name, value)| !value.is_empty() && !is_rare_default(plan, name, value));
    constants
}

/// Whether it is a rarely used setting at its default.
fn is_rare_default(plan: &Plan, name: &str, value: &str) -> bool {
    let Some(setting) = Setting::named(name).filter(|setting| setting.rare) else { return false };
    match setting.default() {
        Some(default) => default.to_string() == value,
        // The model's own.
        None => plan.written(name).next().is_none(),
    }
}

/// The settings and then the placeholders that are the same in every cell, placeholders in texts unfilled.
pub(crate) fn shared(plan: &Plan) -> Vec<(String, String)> {
    let used = used(plan);
    let settings = SETTINGS.iter().map(|setting| setting.name);
    let names = settings.chain(plan.vars.iter().map(|(name, _)| name.as_str()));
    names.filter_map(|name| Some((name.to_owned(), only_value(plan, &used, name)?))).collect()
}

/// The sizes of the plan's pictures, in pixels.
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

/// For each axis, the positions that occur in cells.
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

/// Calls `visit` for each combination of the axes on which the named settings depend, the others at their first position,
/// until it returns `false`.
fn each(plan: &Plan, used: &[Vec<usize>], names: &[&str], mut visit: impl FnMut(&[usize]) -> bool) {
    let relevant = plan.axes_of(names.iter().flat_map(|name| plan.unfilled_decided_by(name)));
    let Some(mut coordinates) =
        used.iter().map(|positions| positions.first().copied()).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let mut digits = vec![0; relevant.len()];
    loop {
        for (&axis, &at) in relevant.iter().zip(&digits) {
            coordinates[axis] = used[axis][at];
        }
        if !visit(&coordinates) {
            return;
        }
        // Counts like an odometer, the last axis fastest.
        let Some(digit) =
            (0..digits.len()).rev().find(|&digit| digits[digit] + 1 < used[relevant[digit]].len())
        else {
            return;
        };
        digits[digit] += 1;
        digits[digit + 1..].fill(0);
    }
}
