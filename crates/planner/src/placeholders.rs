//! Checks that every `{placeholder}` has a value, and that vars and axes are used.
//!
//! Vars and axes of the experiment file or the command line must be used. Inherited ones need not be: a file that
//! extends another may leave a placeholder out of its prompt.

use crate::grid::{Grid, GridAxis};
use crate::layer::is_top_level;
use crate::nearest::{did_you_mean, list, nearest};
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::values::templates;
use maquette_core::{SETTINGS, SUBJECT, Setting, Template};
use std::collections::BTreeSet;

/// Checks both directions; unused inherited vars and axes are removed, axes with a note.
pub(crate) fn check(
    grid: &mut Grid,
    has_subjects: bool,
    dropped: &mut Vec<String>,
    notes: &mut Vec<String>,
    problems: &mut Problems,
) {
    let (mut used, unfilled) = used(grid, problems);
    if has_subjects {
        // It chooses what a cell was trained on, in a prompt or not.
        used.insert(SUBJECT.to_owned());
    }
    // A misspelt placeholder also leaves a var or axis unused: this is reported once.
    let misspelt = |name: &str| nearest(name, unfilled.iter().map(String::as_str)).is_some();
    grid.vars.retain(|var| {
        let keep = used.contains(&var.name);
        match &var.at {
            Some(at) if !keep && at.layer() >= 0 && !misspelt(&var.name) => {
                problems.add(unused(at, &var.name, &used, at.layer() == 0));
            }
            _ => {}
        }
        keep
    });
    for axis in &mut grid.axes {
        let is_unused = |name: &str| Setting::named(name).is_none() && !used.contains(name);
        let names: Vec<String> = axis.names().filter(|name| is_unused(name)).map(str::to_owned).collect();
        for name in names {
            if axis.at.layer() >= 0 {
                if !misspelt(&name) {
                    problems.add(unused(&axis.at, &name, &used, false));
                }
                continue;
            }
            for position in &mut axis.positions {
                position.set.retain(|given| given.name != name);
            }
            dropped.push(name.clone());
            notes.push(format!(
                "the axis `{name}` of {} is ignored: no prompt uses {{{name}}}",
                axis.at.origin.name()
            ));
        }
    }
    grid.axes.retain(|axis| {
        let keep = axis.names().next().is_some();
        if !keep {
            dropped.push(axis.name.clone());
        }
        keep
    });
}

/// The placeholders of all texts, and those among them without a value, which are reported.
fn used(grid: &Grid, problems: &mut Problems) -> (BTreeSet<String>, BTreeSet<String>) {
    let filled: Vec<&str> = grid
        .vars
        .iter()
        .map(|var| var.name.as_str())
        .chain(grid.axes.iter().flat_map(GridAxis::names))
        .filter(|name| Setting::named(name).is_none())
        .collect();
    let (mut used, mut open) = (BTreeSet::new(), BTreeSet::new());
    for setting in templates() {
        for given in grid.values(setting) {
            let (Some(text), Some(at)) = (given.value.as_text(), &given.at) else { continue };
            match Template::parse(text) {
                Err(error) => problems.add(brace(at, text, error.offset)),
                Ok(template) => {
                    for name in template.placeholders() {
                        if !filled.contains(&name) {
                            problems.add(unfilled(at, text, name, &filled));
                            open.insert(name.to_owned());
                        }
                        used.insert(name.to_owned());
                    }
                }
            }
        }
    }
    (used, open)
}

fn brace(at: &At, text: &str, offset: usize) -> Problem {
    Problem::at(
        &at.within(text, offset..offset + 1),
        "this brace does not start a placeholder; allowed: `{name}`, or `{{` for a brace",
    )
    .help("names may contain letters, digits, `_` and `-`")
}

fn unfilled(at: &At, text: &str, name: &str, filled: &[&str]) -> Problem {
    let braced = format!("{{{name}}}");
    let start = text.find(&braced).unwrap_or(0);
    let place = at.within(text, start..start + braced.len());
    if Setting::named(name).is_some() {
        return Problem::at(&place, format!("`{braced}` is a setting, not a placeholder"))
            .help("give the placeholder another name, in [vars] or [sweep]");
    }
    if is_top_level(name) {
        return Problem::at(&place, format!("`{braced}` is a key of the file, not a placeholder"))
            .help("give the placeholder another name");
    }
    let allowed = match filled {
        [] => String::new(),
        words => format!("; allowed: {}", list(words.iter().copied())),
    };
    Problem::at(&place, format!("`{braced}` has no value{allowed}"))
        .label("unknown placeholder")
        .help(format!("give `{name}` a value in [vars], or several in [sweep]"))
        .help_if(did_you_mean(name, filled.iter().copied()))
}

/// The error for a var or axis that no placeholder uses; `in_vars` if it is in the file's `[vars]`, where no settings are
/// allowed.
fn unused(at: &At, name: &str, used: &BTreeSet<String>, in_vars: bool) -> Problem {
    let problem = Problem::at(at, format!("`{name}` is neither a setting nor a placeholder"));
    let problem = problem.label("unused");
    let braced = format!("{{{name}}}");
    if !Template::parse(&braced).is_ok_and(|template| template.placeholders().eq([name])) {
        return problem.help("names of placeholders may contain letters, digits, `_` and `-`");
    }
    let placeholders = match used.is_empty() {
        true => "the prompt has no placeholders".to_owned(),
        false => format!("the placeholders are {}", list(used.iter().map(String::as_str))),
    };
    let settings = SETTINGS.iter().map(|setting| setting.name);
    let near = nearest(name, settings.chain(used.iter().map(String::as_str)));
    let hint = near.map(|near| match in_vars && Setting::named(near).is_some() {
        true => format!("did you mean the setting `{near}`? It belongs above the first [table]"),
        false => format!("did you mean `{near}`?"),
    });
    problem.help(format!("add {braced} to the prompt; {placeholders}")).help_if(hint)
}
