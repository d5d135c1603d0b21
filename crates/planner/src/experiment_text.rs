//! Writes an experiment with a grid, as a person would write it: only what differs from the defaults, ranges where the
//! values are evenly spaced, comments above what they explain.
//!
//! `written.rs` writes an experiment of one cell, `resolved.rs` the complete text that a run keeps.

use crate::range::decimal;
use crate::resolved::{derived_from, key, list, metric_lines, sheet_lines, string, value};
use crate::written::{SubjectText, comment};
use maquette_core::{DerivedFrom, Kind, MetricsSpec, Setting, SheetSpec, Value};
use std::fmt::Write;

/// The longest line of a comment, in characters.
const WIDTH: usize = 110;

/// The contents of an experiment file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExperimentText {
    /// Comments at its top.
    pub remarks: Vec<String>,
    /// The heading of the sheets; empty for none.
    pub title: String,
    /// Where relative paths start; `None` for the file's own folder.
    pub folder: Option<String>,
    /// The parent run and cells.
    pub derived_from: Option<DerivedFrom>,
    /// Settings with their values, placeholders unfilled.
    pub settings: Vec<(String, Value)>,
    /// Placeholders with their values.
    pub vars: Vec<(String, Value)>,
    /// The axes, the last one varying fastest.
    pub axes: Vec<AxisText>,
    /// Subjects to train on.
    pub subjects: Vec<SubjectText>,
    /// Rules of cells to leave out: the values of each name.
    pub exclude: Vec<Vec<(String, Vec<Value>)>>,
    /// The layout of the sheets.
    pub sheet: SheetSpec,
    /// What to measure.
    pub metrics: MetricsSpec,
}

/// An axis of an experiment file.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisText {
    /// The setting or placeholder that it varies, or the name of the zip block.
    pub name: String,
    /// Whether it is a zip block.
    pub zip: bool,
    /// Comments above it.
    pub remarks: Vec<String>,
    /// Its values in order.
    pub values: Vec<AxisValueText>,
}

/// A value of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisValueText {
    /// The label, if it is not made from the value.
    pub label: Option<String>,
    /// What it sets: one entry for a sweep, several for a zip, the same names for every value of the axis.
    pub set: Vec<(String, Value)>,
}

impl ExperimentText {
    /// Writes the text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        comments(&mut text, &self.remarks);
        if !self.remarks.is_empty() {
            text.push('\n');
        }
        let mut line = |key: &str, value: &str| _ = writeln!(text, "{key} = {value}");
        if !self.title.is_empty() {
            line("title", &string(&self.title));
        }
        if let Some(folder) = &self.folder {
            line("folder", &string(folder));
        }
        if let Some(parent) = &self.derived_from {
            line("derived_from", &derived_from(parent));
        }
        self.settings.iter().for_each(|(name, given)| line(name, &value(given)));
        // Axes keep their order: table headers if all sweeps come before all zips, dotted keys if they alternate.
        let alternate = self.axes.windows(2).any(|pair| pair[0].zip && !pair[1].zip);
        if alternate {
            text.push('\n');
            for axis in &self.axes {
                let table = if axis.zip { format!("zip.{}", key(&axis.name)) } else { "sweep".to_owned() };
                axis.write(&mut text, &format!("{table}."));
            }
        }
        if !self.vars.is_empty() {
            text.push_str("\n[vars]\n");
            self.vars.iter().for_each(|(name, given)| _ = writeln!(text, "{} = {}", key(name), value(given)));
        }
        if !alternate {
            let (zips, sweeps): (Vec<_>, Vec<_>) = self.axes.iter().partition(|axis| axis.zip);
            if !sweeps.is_empty() {
                text.push_str("\n[sweep]\n");
                sweeps.into_iter().for_each(|axis| axis.write(&mut text, ""));
            }
            for axis in zips {
                let _ = writeln!(text, "\n[zip.{}]", key(&axis.name));
                axis.write(&mut text, "");
            }
        }
        for SubjectText { name, lines } in &self.subjects {
            let _ = writeln!(text, "\n[subject.{}]", key(name));
            lines.iter().for_each(|(name, value)| _ = writeln!(text, "{} = {value}", key(name)));
        }
        for rule in &self.exclude {
            text.push_str("\n[[exclude]]\n");
            for (name, values) in rule {
                let values: Vec<String> = values.iter().map(value).collect();
                let written = if values.len() == 1 { values.concat() } else { list(&values) };
                let _ = writeln!(text, "{} = {written}", key(name));
            }
        }
        let tables = [("[sheet]", sheet_lines(&self.sheet)), ("[metrics]", metric_lines(&self.metrics))];
        for (header, lines) in tables.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            let _ = writeln!(text, "\n{header}");
            lines.iter().for_each(|(name, value)| _ = writeln!(text, "{name} = {value}"));
        }
        text
    }
}

impl AxisText {
    fn write(&self, text: &mut String, table: &str) {
        comments(text, &self.remarks);
        let names: Vec<&str> =
            self.values.first().into_iter().flat_map(|first| &first.set).map(|(name, _)| &**name).collect();
        for (slot, name) in names.iter().enumerate() {
            let written = match self.range(slot) {
                Some(range) => range,
                None => {
                    let one = |given: &AxisValueText| {
                        let text = value(&given.set[slot].1);
                        match &given.label {
                            Some(label) if !self.zip => {
                                format!("{{ label = {}, value = {text} }}", string(label))
                            }
                            _ => text,
                        }
                    };
                    list(&self.values.iter().map(one).collect::<Vec<_>>())
                }
            };
            let _ = writeln!(text, "{table}{} = {written}", key(name));
        }
        let labels: Option<Vec<String>> =
            self.values.iter().map(|value| value.label.as_deref().map(string)).collect();
        if let Some(labels) = labels.filter(|labels| self.zip && !labels.is_empty()) {
            let _ = writeln!(text, "{table}label = {}", list(&labels));
        }
    }

    /// A column as a range, if its values are three or more evenly spaced numbers, or consecutive seeds.
    fn range(&self, slot: usize) -> Option<String> {
        if !self.zip && self.values.iter().any(|value| value.label.is_some()) {
            return None;
        }
        let (name, first) = self.values.first()?.set.get(slot)?;
        let values = self.values.iter().map(|value| &value.set[slot].1);
        if Setting::named(name).is_some_and(|setting| setting.kind == Kind::Seed) {
            let Value::Integer(from) = first else { return None };
            let consecutive =
                values.enumerate().all(|(nth, value)| *value == Value::Integer(from + nth as i128));
            return consecutive.then(|| format!("{{ count = {}, from = {from} }}", self.values.len()));
        }
        let numbers: Option<Vec<_>> =
            values.map(|value| value.as_number().and_then(|_| decimal(&value.to_string()))).collect();
        let numbers = numbers.filter(|numbers| numbers.len() >= 3)?;
        let step = (numbers[1] - numbers[0]).normalize();
        let even = !step.is_zero() && numbers.windows(2).all(|pair| pair[1] - pair[0] == step);
        even.then(|| {
            format!("{{ from = {}, to = {}, step = {step} }}", numbers[0], numbers[numbers.len() - 1])
        })
    }
}

/// Writes comments, wrapped between words.
fn comments(text: &mut String, remarks: &[String]) {
    for remark in remarks {
        let mut line = String::new();
        for word in comment(remark).split_whitespace() {
            if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
                let _ = writeln!(text, "#{line}");
                line = "  ".to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(text, "#{line}");
    }
}
