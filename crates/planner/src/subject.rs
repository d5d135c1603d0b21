//! `[subject.NAME]`: pictures of a subject and how a model is trained on them, as written.
//!
//! `trainings.rs` makes trainings of them, for the models that cells use.

use crate::grid::Given;
use crate::listing;
use crate::nearest::{did_you_mean, list};
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::tree::{Data, Entry, Node, find};
use crate::values;
use maquette_core::{MAX_VALUES, NO_SUBJECT, Setting, TRAINING_SETTINGS, Value};

/// The keys that name files.
pub(crate) const FILE_KEYS: [(&str, &str); 2] = [
    (
        "images",
        "The pictures of the subject, 4 or more: a pattern such as `photos/*.jpg`, or a list of files and patterns.",
    ),
    (
        "mask",
        "Masks that weight the loss, named as their pictures: `photos/*.mask.png` has `a.mask.png` for `a.jpg`.",
    ),
];

/// The fewest pictures of a subject.
const FEWEST: usize = 4;

/// A subject: the contents of its table, checked one by one.
#[derive(Debug)]
pub(crate) struct Subject {
    pub name: String,
    pub at: At,
    /// Paths relative to the experiment file's folder, with the places that name them.
    pub images: Vec<(String, At)>,
    /// Likewise.
    pub masks: Vec<(String, At)>,
    /// The settings that are written, in the file's order.
    pub settings: Vec<Given>,
}

/// Reads the tables of all subjects.
pub(crate) fn read(entries: &[Entry], problems: &mut Problems) -> Vec<Subject> {
    entries.iter().filter_map(|entry| subject(entry, problems)).collect()
}

fn subject(entry: &Entry, problems: &mut Problems) -> Option<Subject> {
    let Data::Table(entries) = &entry.node.data else {
        let message = format!("`{}` in [subject] is {}; allowed: a table", entry.key, entry.node.what());
        let help = "a subject needs a name: write `[subject.me]`, with `images` and `word` below it";
        problems.add(Problem::at(&entry.node.at, message).help(help));
        return None;
    };
    let name = &entry.key;
    if name == NO_SUBJECT || name.is_empty() || name.contains([' ', '@', '+', ':', '=', '/', '{', '}']) {
        let message = format!("`{name}` cannot be the name of a subject");
        let help = "allowed: letters, digits, `_` and `-`; `none` is the value for cells without a subject";
        problems.add(Problem::at(&entry.at, message).help(help));
        return None;
    }
    let mut subject = Subject {
        name: name.clone(),
        at: entry.at.clone(),
        images: Vec::new(),
        masks: Vec::new(),
        settings: Vec::new(),
    };
    for key in entries {
        match key.key.as_str() {
            "images" => subject.images = problems.keep(files(key)).unwrap_or_default(),
            "mask" => subject.masks = problems.keep(files(key)).unwrap_or_default(),
            _ => subject.settings.extend(problems.keep(setting(name, key))),
        }
    }
    let images = find(entries, "images");
    for (key, example) in [("images", "photos/*.jpg"), ("word", "sks man")] {
        if find(entries, key).is_none() {
            let message = format!("[subject.{name}] has no `{key}`");
            problems.add(Problem::at(&entry.at, message).help(format!("write `{key} = \"{example}\"`")));
        }
    }
    // A pattern for pictures often matches the masks beside them.
    subject.images.retain(|(path, _)| !subject.masks.iter().any(|(mask, _)| mask == path));
    if let Some(images) = images.filter(|_| !subject.images.is_empty() && subject.images.len() < FEWEST) {
        let found = subject.images.len();
        let count = if found == 1 { "1 picture".to_owned() } else { format!("{found} pictures") };
        let message = format!("`images` has {count}; allowed: {FEWEST} or more");
        let help = "from fewer, a model learns the pictures instead of the subject: add some with another light, \
                    background or angle";
        problems.add(Problem::at(&images.node.at, message).help(help));
    }
    Some(subject)
}

/// A pattern, or a list of patterns and paths.
fn files(entry: &Entry) -> Result<Vec<(String, At)>, Problem> {
    let nodes: &[Node] = match &entry.node.data {
        Data::List(nodes) => nodes,
        _ => std::slice::from_ref(&entry.node),
    };
    let mut files: Vec<(String, At)> = Vec::new();
    for node in nodes {
        let Some(pattern) = node.text().filter(|text| !text.is_empty()) else {
            let message = format!("`{}` is {}; allowed: a pattern or a list of them", entry.key, node.what());
            return Err(
                Problem::at(&node.at, message).help(format!("write `{} = \"photos/*.jpg\"`", entry.key))
            );
        };
        // A path may have characters that are special in patterns.
        let found = match node.at.origin.folder.join(pattern).is_file() {
            true => vec![node.at.origin.rebase(pattern)],
            false => {
                let values = listing::files("", pattern, &node.at)?;
                values.iter().map(|(value, _)| value.to_string()).collect()
            }
        };
        for path in found {
            if files.len() == MAX_VALUES {
                return Err(Problem::at(
                    &node.at,
                    format!("`{}` names more than {MAX_VALUES} files", entry.key),
                ));
            }
            if !files.iter().any(|(known, _)| *known == path) {
                files.push((path, node.at.clone()));
            }
        }
    }
    Ok(files)
}

fn setting(subject: &str, entry: &Entry) -> Result<Given, Problem> {
    let key = entry.key.as_str();
    let Some(setting) = TRAINING_SETTINGS.iter().find(|setting| setting.name == key) else {
        let keys =
            || FILE_KEYS.iter().map(|(key, _)| *key).chain(TRAINING_SETTINGS.iter().map(|row| row.name));
        return Err(Problem::at(&entry.at, format!("`{key}` is not a key of [subject.{subject}]"))
            .help(format!("allowed: {}", list(keys())))
            .help_if(did_you_mean(key, keys())));
    };
    let value = setting_value(setting, &entry.node)?;
    Ok(Given { name: key.to_owned(), value, at: Some(entry.node.at.clone()) })
}

fn setting_value(setting: &Setting, node: &Node) -> Result<Value, Problem> {
    match node.scalar() {
        Some(value) => values::fit(setting, value, &node.at),
        None => Err(Problem::at(
            &node.at,
            format!("`{}` is {}; allowed: {}", setting.name, node.what(), setting.allowed()),
        )
        .help("the settings of a training are no axes: for other values, write another subject")),
    }
}

impl Subject {
    /// The value of a setting, written or the table's default.
    pub fn value(&self, name: &str) -> Option<Value> {
        let written = self.settings.iter().find(|given| given.name == name).map(|given| given.value.clone());
        let default = || TRAINING_SETTINGS.iter().find(|setting| setting.name == name)?.default();
        written.or_else(default)
    }

    /// Where a setting is written.
    pub fn place(&self, name: &str) -> Option<&At> {
        self.settings.iter().find(|given| given.name == name)?.at.as_ref()
    }
}
