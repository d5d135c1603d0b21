//! The labels of an axis' positions on a sheet.
//!
//! A label from the experiment file takes precedence. Otherwise it is the value itself: a file by its name without
//! folder and extension if those names differ, long texts without the words that all of them begin or end with, and a
//! zip by those of its columns that vary.

use crate::grid::GridAxis;
use maquette_core::{Axis, Kind, Setting, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// Texts longer than this, in characters, are shortened by the words that they share.
const LONG: usize = 40;

/// The labels of an axis, one for each position.
pub(crate) fn labels(axis: &GridAxis) -> Vec<String> {
    let columns = axis.names().enumerate().map(|(slot, name)| {
        let values = axis.positions.iter().map(|position| &position.set[slot].value);
        column(name, &values.collect::<Vec<_>>())
    });
    let made = joined(&columns.collect::<Vec<_>>());
    let positions = axis.positions.iter().zip(made);
    positions.map(|(position, made)| position.label.clone().unwrap_or(made)).collect()
}

/// The labels of an axis of a plan that are not made from its values: those that the experiment file gave.
pub fn given_labels(axis: &Axis) -> Vec<Option<&str>> {
    let names = axis.values.first().into_iter().flat_map(|value| &value.set).map(|(name, _)| name);
    let columns = names.enumerate().map(|(slot, name)| {
        let values = axis.values.iter().map(|value| &value.set[slot].1);
        column(name, &values.collect::<Vec<_>>())
    });
    let made = joined(&columns.collect::<Vec<_>>());
    let labels = axis.values.iter().map(|value| value.label.as_str()).zip(made);
    labels.map(|(label, made)| (label != made).then_some(label)).collect()
}

/// The labels of rows: their entries in the columns that vary.
fn joined(columns: &[Vec<String>]) -> Vec<String> {
    let varies = |column: &&Vec<String>| column.iter().any(|label| *label != column[0]);
    let varying: Vec<&Vec<String>> = match columns.iter().filter(varies).collect::<Vec<_>>() {
        none if none.is_empty() => columns.iter().collect(),
        some => some,
    };
    let label = |row: usize| varying.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join(", ");
    (0..columns.first().map_or(0, Vec::len)).map(label).collect()
}

fn column(name: &str, values: &[&Value]) -> Vec<String> {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    let kind = Setting::named(name).map(|setting| setting.kind);
    let short = match kind {
        Some(Kind::Path) => texts.iter().map(|text| stem(text)).collect(),
        Some(Kind::Weights) => texts.iter().map(|text| stems(text)).collect(),
        _ => trimmed(&texts),
    };
    let short = if tells_apart(&texts, &short) { short } else { texts };
    let empty = if matches!(kind, Some(Kind::Path | Kind::Weights)) { "none" } else { "(empty)" };
    short.into_iter().map(|text| if text.is_empty() { empty.to_owned() } else { text }).collect()
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// A list of weight files without folders and `.safetensors`: `styles/oil.safetensors:0.8` is `oil:0.8`.
fn stems(list: &str) -> String {
    let short = |entry: &str| {
        let name = entry.rsplit(['/', '\\']).next().unwrap_or(entry);
        name.replace(".safetensors", "")
    };
    list.split(" + ").map(short).collect::<Vec<_>>().join(" + ")
}

/// Whether different texts have different short forms.
fn tells_apart(texts: &[String], short: &[String]) -> bool {
    let texts: BTreeSet<&String> = texts.iter().collect();
    let short: BTreeSet<&String> = short.iter().collect();
    texts.len() == short.len()
}

/// Long texts without the words that all of them begin or end with; `…` stands for the words left out.
fn trimmed(texts: &[String]) -> Vec<String> {
    let different: BTreeSet<&String> = texts.iter().collect();
    if different.len() < 2 || texts.iter().all(|text| text.chars().count() <= LONG) {
        return texts.to_vec();
    }
    let words: Vec<Vec<&str>> = texts.iter().map(|text| text.split(' ').collect()).collect();
    let shortest = words.iter().map(Vec::len).min().unwrap_or(0);
    let same = |word: &dyn Fn(&Vec<&'_ str>) -> String| {
        let first = word(&words[0]);
        words.iter().all(|other| word(other) == first)
    };
    let begin = (0..shortest).take_while(|&at| same(&|words| words[at].to_owned())).count();
    let end =
        (0..shortest - begin).take_while(|&at| same(&|words| words[words.len() - 1 - at].to_owned())).count();
    if words.iter().any(|words| words.len() == begin + end) {
        return texts.to_vec();
    }
    let (left, right) = (if begin > 0 { "… " } else { "" }, if end > 0 { " …" } else { "" });
    let short = |words: &Vec<&str>| format!("{left}{}{right}", words[begin..words.len() - end].join(" "));
    words.iter().map(short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, texts: &[&str], expected: &[&str]) {
        let values: Vec<Value> = texts.iter().map(|text| Value::from(*text)).collect();
        assert_eq!(column(name, &values.iter().collect::<Vec<_>>()), expected);
    }

    #[test]
    fn labels_are_short_and_distinct() {
        check("artist", &["Alphonse Mucha", "Edvard Munch"], &["Alphonse Mucha", "Edvard Munch"]);
        check("init_image", &["photos/me.jpg", "photos/you.png", ""], &["me", "you", "none"]);
        check("init_image", &["a/me.jpg", "b/me.jpg"], &["a/me.jpg", "b/me.jpg"]);
        check("lora", &["styles/oil.safetensors:0.8 + hand", "none"], &["oil:0.8 + hand", "none"]);
        check("artist", &["", "Mucha"], &["(empty)", "Mucha"]);
        check(
            "prompt",
            &[
                "portrait of a bearded man among leaves, by Mucha, oil",
                "portrait of a bearded man among leaves, by Munch, oil",
            ],
            &["… Mucha, …", "… Munch, …"],
        );
        check(
            "prompt",
            &["a word that is repeated as often as it can be", "a word"],
            &["a word that is repeated as often as it can be", "a word"],
        );
    }
}
