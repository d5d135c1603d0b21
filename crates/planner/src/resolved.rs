//! The resolved experiment: one TOML text without `extends`, with overrides applied and seeds written out.

use crate::grid::{Given, Grid, GridAxis};
use crate::place::At;
use crate::rules::{Rule, Test};
use crate::subject::Subject;
use maquette_core::{DerivedFrom, Kind, MetricsSpec, Setting, SheetSpec, Value};
use std::fmt::Write;

/// The contents of the text.
pub(crate) struct Experiment<'a> {
    pub title: &'a str,
    /// The folder that paths are relative to; `None` if there are none.
    pub folder: Option<&'a str>,
    pub derived_from: Option<&'a DerivedFrom>,
    pub grid: &'a Grid,
    pub subjects: &'a [Subject],
    pub exclude: &'a [Rule],
    pub only: &'a [Rule],
    pub sheet: &'a SheetSpec,
    pub metrics: &'a MetricsSpec,
}

impl Experiment<'_> {
    /// Writes the text. It reads back as the same grid, even if defaults change later.
    pub fn text(&self) -> String {
        let Experiment { title, folder, derived_from, grid, subjects, exclude, only, sheet, metrics } = self;
        let mut text = String::new();
        let mut line = |key: &str, value: &str| _ = writeln!(text, "{key} = {value}");
        if !title.is_empty() {
            line("title", &string(title));
        }
        if let Some(folder) = folder {
            line("folder", &string(folder));
        }
        if let Some(parent) = derived_from {
            line("derived_from", &self::derived_from(parent));
        }
        for given in &grid.settings {
            line(&given.name, &value(&given.value));
        }
        // Axes keep their order: table headers if all sweeps come before all zips, dotted keys if they alternate.
        let alternate = grid.axes.windows(2).any(|pair| pair[0].zip && !pair[1].zip);
        if alternate {
            for axis in &grid.axes {
                for (name, list) in columns(axis) {
                    let table =
                        if axis.zip { format!("zip.{}", key(&axis.name)) } else { "sweep".to_owned() };
                    line(&format!("{table}.{}", key(&name)), &list);
                }
            }
        }
        let mut table = |header: &str, lines: Vec<(String, String)>| {
            if !lines.is_empty() {
                let _ = writeln!(text, "\n{header}");
                lines.iter().for_each(|(name, value)| _ = writeln!(text, "{} = {value}", key(name)));
            }
        };
        let pairs = |given: &[Given]| given.iter().map(|var| (var.name.clone(), value(&var.value))).collect();
        table("[vars]", pairs(&grid.vars));
        if !alternate {
            let (zips, sweeps): (Vec<_>, Vec<_>) = grid.axes.iter().partition(|axis| axis.zip);
            table("[sweep]", sweeps.into_iter().flat_map(columns).collect());
            zips.into_iter().for_each(|axis| table(&format!("[zip.{}]", key(&axis.name)), columns(axis)));
        }
        for (header, lines) in subjects.iter().map(subject_lines) {
            table(&header, lines);
        }
        for (header, rules) in [("[[exclude]]", exclude), ("[[only]]", only)] {
            for rule in *rules {
                let conditions = rule.conditions.iter();
                table(header, conditions.map(|on| (on.name.clone(), tests(&on.tests))).collect());
            }
        }
        table("[sheet]", sheet_lines(sheet));
        table("[metrics]", metric_lines(metrics));
        text
    }
}

/// The table of a subject: its header and its lines, with the files that its patterns match.
fn subject_lines(subject: &Subject) -> (String, Vec<(String, String)>) {
    let paths =
        |files: &[(String, At)]| list(&files.iter().map(|(path, _)| string(path)).collect::<Vec<_>>());
    let mut lines = vec![("images".to_owned(), paths(&subject.images))];
    if !subject.masks.is_empty() {
        lines.push(("mask".to_owned(), paths(&subject.masks)));
    }
    lines.extend(subject.settings.iter().map(|given| (given.name.clone(), value(&given.value))));
    (format!("[subject.{}]", key(&subject.name)), lines)
}

/// The keys of `[sheet]` and their values; none for a layout by default.
pub(crate) fn sheet_lines(sheet: &SheetSpec) -> Vec<(String, String)> {
    let SheetSpec { rows, columns, cell, max } = sheet;
    let axes = [("rows", rows), ("columns", columns)];
    let axes = axes.into_iter().filter_map(|(name, axis)| Some((name.to_owned(), string(axis.as_ref()?))));
    let sizes = [("cell", cell), ("max", max)];
    let sizes =
        sizes.into_iter().filter_map(|(name, size)| Some((name.to_owned(), size.as_ref()?.to_string())));
    axes.chain(sizes).collect()
}

/// The keys of `[metrics]` and their values; none if nothing is to be measured.
pub(crate) fn metric_lines(metrics: &MetricsSpec) -> Vec<(String, String)> {
    let MetricsSpec { measure, neighbours, models } = metrics;
    let names: Vec<String> = measure.iter().map(|name| string(name)).collect();
    let names = (!names.is_empty()).then(|| ("measure".to_owned(), list(&names)));
    let axis = neighbours.iter().map(|axis| ("neighbours".to_owned(), string(axis)));
    let models = models.iter().map(|(name, model)| (name.clone(), string(model)));
    names.into_iter().chain(axis).chain(models).collect()
}

/// The names that an axis sets, with their lists of values, and a zip's labels.
fn columns(axis: &GridAxis) -> Vec<(String, String)> {
    let column = |slot: usize| {
        axis.positions.iter().map(move |position| {
            let text = value(&position.set[slot].value);
            match &position.label {
                Some(label) if !axis.zip => format!("{{ label = {}, value = {text} }}", string(label)),
                _ => text,
            }
        })
    };
    let mut columns: Vec<(String, String)> = axis
        .names()
        .enumerate()
        .map(|(slot, name)| (name.to_owned(), list(&column(slot).collect::<Vec<_>>())))
        .collect();
    let labels: Option<Vec<String>> =
        axis.positions.iter().map(|position| position.label.as_deref().map(string)).collect();
    if let Some(labels) = labels.filter(|_| axis.zip) {
        columns.push(("label".to_owned(), list(&labels)));
    }
    columns
}

fn tests(tests: &[Test]) -> String {
    let values = |values: &[(Value, At)]| {
        let mut texts: Vec<String> = values.iter().map(|(wanted, _)| value(wanted)).collect();
        if texts.len() == 1 { texts.remove(0) } else { list(&texts) }
    };
    if let [Test::Is(wanted)] = tests {
        return values(wanted);
    }
    let word = |test: &Test| match test {
        Test::Is(wanted) => values(wanted),
        Test::Not(unwanted) => format!("not = {}", values(unwanted)),
        Test::Above(bound) => format!("above = {}", value(&Value::Number(*bound))),
        Test::Below(bound) => format!("below = {}", value(&Value::Number(*bound))),
        Test::Like(pattern) => format!("like = {}", string(pattern.as_str())),
    };
    format!("{{ {} }}", tests.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// The table `derived_from`; its list may have several lines.
pub(crate) fn derived_from(DerivedFrom { run, cells }: &DerivedFrom) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| string(&cell.to_string())).collect();
    format!("{{ run = {}, cells = {} }}", string(run), list(&cells))
}

/// A list on one line, or with one value per line if that would be too long.
pub(crate) fn list(texts: &[String]) -> String {
    let length: usize = texts.iter().map(|text| text.len() + 2).sum();
    match length {
        0..=90 => format!("[{}]", texts.join(", ")),
        _ => format!("[\n    {},\n]", texts.join(",\n    ")),
    }
}

pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Number(x) => toml::Value::Float(*x).to_string(),
        Value::Text(text) => string(text),
        Value::Weights(_) => string(&value.to_string()),
    }
}

pub(crate) fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(crate) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { string(name) }
}

/// Whether any cell or metric may have a path that is relative to `folder`.
pub(crate) fn has_paths(grid: &Grid, subjects: &[Subject], metrics: &MetricsSpec) -> bool {
    let paths = grid
        .settings
        .iter()
        .chain(grid.axes.iter().flat_map(|axis| axis.positions.iter().flat_map(|position| &position.set)));
    let is_path = |name: &str| {
        Setting::named(name).is_some_and(|setting| matches!(setting.kind, Kind::Path | Kind::Weights))
    };
    let mut paths = paths.into_iter();
    !metrics.models.is_empty()
        || !subjects.is_empty()
        || paths.any(|given| is_path(&given.name) && !given.value.is_empty())
}
