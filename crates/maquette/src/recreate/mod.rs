//! From a picture's metadata to an experiment that makes it again: the settings, the files that they name, and remarks
//! on everything that could not be carried over.
//!
//! Not here: reading the metadata (`maquette-interop`) and writing the text of an experiment (`maquette-planner`).

mod nearby_files;
#[cfg(test)]
mod tests;

pub(crate) use nearby_files::{NearbyFiles, base_of};

use maquette_core::{Applies, Digest, Kind, Setting, Value, parse_weights};
use maquette_interop::{FileRef, Foreign, GenerationInfo};
use maquette_planner::{Line, experiment};
use std::path::Path;

/// An experiment of one cell, from a picture's metadata.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecreatedExperiment {
    /// Its settings, in the order of the table.
    pub lines: Vec<Line>,
    /// What could not be carried over and other caveats, each a sentence without its full stop.
    pub remarks: Vec<String>,
}

impl RecreatedExperiment {
    /// The experiment file; `from` says where it comes from.
    pub fn text(&self, from: &str) -> String {
        let remarks: Vec<String> = [from.to_owned()].into_iter().chain(self.remarks.clone()).collect();
        experiment(&remarks, &self.lines)
    }

    /// Whether it has a setting.
    pub fn gives(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.name == name)
    }

    fn line(&mut self, name: &str, value: Value, remark: impl Into<String>) {
        self.lines.push(Line { name: name.to_owned(), value, remark: remark.into() });
    }
}

/// The experiment behind a picture made by Maquette. Files are found by their content near the picture.
pub(crate) fn recreate(info: &GenerationInfo, nearby: &NearbyFiles) -> RecreatedExperiment {
    let mut recreated = RecreatedExperiment { lines: Vec::new(), remarks: Vec::new() };
    for (name, value) in info.values() {
        let Some(setting) = Setting::named(&name) else {
            recreated
                .remarks
                .push(format!("`{name}` is `{value}`, a setting unknown to this version of maquette"));
            continue;
        };
        // What was trained for a subject is among the LoRAs and textual inversions, with its weight.
        if matches!(setting.applies, Applies::Trained(_)) {
            continue;
        }
        let (value, remark) = match (setting.kind, value) {
            (_, Value::Text(model)) if name == "model" => (Value::Text(nearby.model(&model)), String::new()),
            (Kind::Path, Value::Text(path)) => {
                let (found, remark) = found(nearby, &path, info.files(&name).next());
                (Value::Text(found), remark)
            }
            (Kind::Weights, Value::Text(list)) => {
                weights(nearby, setting, &list, &info.files(&name).collect::<Vec<_>>())
            }
            (_, value) => (value, String::new()),
        };
        recreated.line(setting.name, value, remark);
    }
    recreated
}

/// The experiment behind a picture made by another tool, as far as Maquette has the settings for it.
pub(crate) fn recreate_foreign(foreign: &Foreign, nearby: &NearbyFiles) -> RecreatedExperiment {
    let mut recreated = RecreatedExperiment { lines: Vec::new(), remarks: Vec::new() };
    for left in &foreign.left {
        let value = if left.value.is_empty() { String::new() } else { format!(" = {}", left.value) };
        recreated.remarks.push(format!("not imported: {}{value}: {}", left.key, left.why));
    }
    recreated.remarks.extend(foreign.notes.iter().map(|note| format!("note: {note}")));
    if foreign.get("model").is_none() {
        recreated.remarks.push("the metadata does not name a model: add `model`".to_owned());
    }
    for (name, value) in &foreign.settings {
        let path = Setting::named(name).is_some_and(|setting| setting.kind == Kind::Path);
        match value {
            Value::Text(model) if *name == "model" => {
                let found = nearby.model(model);
                recreated.line(name, Value::Text(found), "the name in the metadata; a path may be needed");
            }
            Value::Text(file) if path => {
                let (found, remark) = found(nearby, file, None);
                recreated.line(name, Value::Text(found), remark);
            }
            value => recreated.line(name, value.clone(), ""),
        }
    }
    recreated
}

/// The path of a file, and a remark if it was not found.
fn found(nearby: &NearbyFiles, path: &str, file: Option<&FileRef>) -> (String, String) {
    let digest = file.map(|file| file.digest);
    match nearby.file(path, digest.as_ref()) {
        Some(found) => (found, String::new()),
        None => (path.to_owned(), missing(digest.as_ref())),
    }
}

fn missing(digest: Option<&Digest>) -> String {
    match digest {
        Some(digest) => format!("no file with the digest {}… was found", digest.short()),
        None => "no such file was found".to_owned(),
    }
}

/// A list of weight files with the path of each. A file that is not found keeps its name: it may be in the folder of its
/// kind.
fn weights(nearby: &NearbyFiles, setting: &Setting, list: &str, files: &[&FileRef]) -> (Value, String) {
    let Some(entries) = parse_weights(list) else { return (list.into(), String::new()) };
    let mut remark = String::new();
    let written = entries.iter().enumerate().map(|(at, entry)| {
        let digest = files.get(at).map(|file| file.digest);
        let found = nearby.file(&entry.name, digest.as_ref()).unwrap_or_else(|| {
            if let Some(digest) = digest {
                remark = missing(Some(&digest));
            }
            entry.name.clone()
        });
        // The word of a textual inversion is its file's name unless one is given.
        let renamed = setting.name == "embeddings" && stem(&found) != stem(&entry.name);
        let word = entry.word.as_deref().or_else(|| Some(stem(&entry.name)).filter(|_| renamed));
        let word = word.map_or(String::new(), |word| format!("{word}="));
        let weights = [entry.text_weight, entry.weight].into_iter().flatten();
        let weight: String = weights.map(|weight| format!(":{weight}")).collect();
        format!("{word}{found}{weight}")
    });
    let written: Vec<String> = written.collect();
    (Value::Text(written.join(" + ")), remark)
}

fn stem(path: &str) -> &str {
    Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or(path)
}
