//! The contents of one file or one command-line option: keys sorted by kind, values not yet read.

use crate::nearest::{did_you_mean, list};
use crate::place::At;
use crate::problem::{Problem, Problems};
use crate::tree::{Data, Entry, Node};
use maquette_core::{SETTINGS, SUBJECT, Setting};

/// The top-level keys that are not settings.
pub(crate) const KEYS: &[&str] = &[
    "title",
    "extends",
    "folder",
    "derived_from",
    "vars",
    "sweep",
    "zip",
    "exclude",
    "only",
    "sheet",
    "metrics",
    "subject",
];

/// The keys of `[sheet]`.
pub(crate) const SHEET_KEYS: &[&str] = &["rows", "columns", "cell", "max"];

/// The contents of one file.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub extends: Option<Node>,
    pub title: Option<Node>,
    pub derived_from: Option<Node>,
    pub settings: Vec<Entry>,
    pub vars: Vec<Entry>,
    /// In the file's order, sweeps and zips mixed.
    pub axes: Vec<WrittenAxis>,
    pub exclude: Option<Vec<Node>>,
    pub only: Option<Vec<Node>>,
    pub sheet: Vec<Entry>,
    pub metrics: Vec<Entry>,
    pub subjects: Vec<Entry>,
}

/// An axis as written.
#[derive(Debug, Clone)]
pub(crate) struct WrittenAxis {
    pub name: String,
    /// The place of its name.
    pub at: At,
    pub form: Form,
}

/// The two ways to write an axis.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// A key of `[sweep]`.
    Sweep(Node),
    /// A block `[zip.name]`: its columns.
    Zip(Vec<Entry>),
}

impl Layer {
    /// Sorts the keys of a file.
    pub fn read(entries: Vec<Entry>, problems: &mut Problems) -> Layer {
        let mut layer = Layer::default();
        for entry in entries {
            match entry.key.as_str() {
                "extends" => layer.extends = problems.keep(text(&entry)),
                "title" => layer.title = problems.keep(text(&entry)),
                "derived_from" => layer.derived_from = Some(entry.node),
                "folder" => {
                    problems.keep(text(&entry));
                }
                "vars" => layer.vars = table(entry, problems, var),
                "sheet" => layer.sheet = table(entry, problems, sheet_key),
                // Its keys are checked when the metrics are known.
                "subject" => layer.subjects = table(entry, problems, |_| Ok(())),
                "metrics" => layer.metrics = table(entry, problems, |_| Ok(())),
                "sweep" => {
                    let sweeps = table(entry, problems, sweep);
                    layer.axes.extend(sweeps.into_iter().map(|entry| WrittenAxis {
                        name: entry.key,
                        at: entry.at,
                        form: Form::Sweep(entry.node),
                    }));
                }
                "zip" => {
                    let blocks = table(entry, problems, zip);
                    layer.axes.extend(blocks.into_iter().filter_map(|block| match block.node.data {
                        Data::Table(columns) => {
                            Some(WrittenAxis { name: block.key, at: block.at, form: Form::Zip(columns) })
                        }
                        _ => None,
                    }));
                }
                "exclude" => layer.exclude = problems.keep(blocks(entry)),
                "only" => layer.only = problems.keep(blocks(entry)),
                name if Setting::named(name).is_some() => layer.settings.push(entry),
                _ => problems.add(unknown(&entry)),
            }
        }
        // Sweeps and zips may alternate in the file: axes are sorted by the place of their name.
        layer.axes.sort_by_key(|axis| axis.at.span.start);
        layer
    }
}

fn unknown(entry: &Entry) -> Problem {
    let words = SETTINGS.iter().map(|setting| setting.name).chain(KEYS.iter().copied());
    let mut problem = Problem::at(&entry.at, format!("`{}` is not a key of an experiment", entry.key));
    problem = problem.label("unknown key").help(format!(
        "allowed: the settings {}, and {}",
        list(SETTINGS.iter().map(|setting| setting.name)),
        list(KEYS.iter().copied())
    ));
    problem.help_if(did_you_mean(&entry.key, words))
}

/// The entry's node, which must be text.
fn text(entry: &Entry) -> Result<Node, Problem> {
    match entry.node.text() {
        Some(_) => Ok(entry.node.clone()),
        None => {
            let message = format!("`{}` is {}; allowed: text", entry.key, entry.node.what());
            Err(Problem::at(&entry.node.at, message))
        }
    }
}

/// The entries of a table that pass `check`; the others are reported and left out.
fn table(entry: Entry, problems: &mut Problems, check: fn(&Entry) -> Result<(), Problem>) -> Vec<Entry> {
    match entry.node.data {
        Data::Table(entries) => {
            entries.into_iter().filter(|entry| problems.keep(check(entry)).is_some()).collect()
        }
        _ => {
            let message = format!("`{}` is {}; allowed: a table", entry.key, entry.node.what());
            let header = match entry.key.as_str() {
                "zip" => "zip.sampling",
                "subject" => "subject.me",
                key => key,
            };
            let help = format!("write `[{header}]` on a line of its own and the keys below it");
            problems.add(Problem::at(&entry.node.at, message).help(help));
            Vec::new()
        }
    }
}

/// The tables of `[[exclude]]` or `[[only]]`; their keys are read when the axes are known.
fn blocks(entry: Entry) -> Result<Vec<Node>, Problem> {
    let key = &entry.key;
    match entry.node.data {
        Data::List(nodes) if nodes.iter().all(|node| node.table().is_some()) => Ok(nodes),
        _ => Err(Problem::at(&entry.at, format!("`{key}` is not a list of tables")).help(format!(
            "write `[[{key}]]` with double brackets on a line of its own, once for each rule"
        ))),
    }
}

fn var(entry: &Entry) -> Result<(), Problem> {
    let key = &entry.key;
    if is_top_level(key) {
        return Err(misplaced(entry, "vars"));
    }
    if entry.node.scalar().is_none() {
        let message = format!("`{key}` in [vars] is {}; allowed: text or a number", entry.node.what());
        let problem = Problem::at(&entry.node.at, message);
        return Err(match entry.node.data {
            Data::List(_) => problem.help("a placeholder with several values belongs under [sweep]"),
            Data::Unfit(_) => problem.help("to use it as text, put it in quotes"),
            _ => problem,
        });
    }
    Ok(())
}

fn sheet_key(entry: &Entry) -> Result<(), Problem> {
    if SHEET_KEYS.contains(&entry.key.as_str()) {
        return Ok(());
    }
    if is_top_level(&entry.key) {
        return Err(misplaced(entry, "sheet"));
    }
    Err(Problem::at(&entry.at, format!("`{}` is not a key of [sheet]", entry.key))
        .help(format!("allowed: {}", list(SHEET_KEYS.iter().copied())))
        .help_if(did_you_mean(&entry.key, SHEET_KEYS.iter().copied())))
}

fn sweep(entry: &Entry) -> Result<(), Problem> {
    let key = &entry.key;
    if is_key(key) {
        return Err(misplaced(entry, "sweep"));
    }
    if entry.node.scalar().is_none() {
        return Ok(());
    }
    // A hint does not repeat a value that the setting rejects.
    let rejected =
        Setting::named(key).zip(entry.node.scalar()).is_some_and(|(s, value)| s.check(&value).is_err());
    let value = if rejected { "…" } else { entry.node.at.text() };
    let problem =
        Problem::at(&entry.node.at, format!("the axis `{key}` is {}, not a list", entry.node.what()));
    Err(match Setting::named(key) {
        Some(_) => problem.label("a single value").help(format!(
            "everything below [sweep] belongs to it: to give `{key}` one value, move this line above the first \
             [table]; to sweep it, write a list: `{key} = [{value}]`"
        )),
        None => problem.label("a single value").help(format!(
            "to give `{{{key}}}` one value, move this line into [vars]; to sweep it, write a list: \
             `{key} = [{value}]`"
        )),
    })
}

fn zip(entry: &Entry) -> Result<(), Problem> {
    if entry.node.table().is_some() {
        return Ok(());
    }
    if is_top_level(&entry.key) && entry.node.scalar().is_some() {
        return Err(misplaced(entry, "zip"));
    }
    let message = format!("`{}` in [zip] is {}; allowed: a table of columns", entry.key, entry.node.what());
    Err(Problem::at(&entry.at, message)
        .help("a zip needs a name: write `[zip.sampling]`, with columns of equal length below it"))
}

pub(crate) fn is_top_level(key: &str) -> bool {
    is_key(key) || Setting::named(key).is_some()
}

/// Whether a name is a top-level key, so that it cannot be a placeholder. `subject` is both: its tables are at the top of a
/// file, and the placeholder names one of them.
pub(crate) fn is_key(name: &str) -> bool {
    KEYS.contains(&name) && name != SUBJECT
}

/// The error for a top-level key below a table's header.
pub(crate) fn misplaced(entry: &Entry, table: &str) -> Problem {
    Problem::at(&entry.at, format!("`{}` is below [{table}] but belongs at the top of the file", entry.key))
        .label(format!("read as a key of [{table}]"))
        .help("everything below a [table] line belongs to that table: move this line above the first one")
}
