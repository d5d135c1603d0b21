//! The overrides of the command line: `--set`, `--sweep`, `--only` and `--dtype`, each a layer over the file.

use crate::layer::{Form, Layer, SHEET_KEYS, WrittenAxis, is_key, is_top_level};
use crate::literals;
use crate::nearest::{did_you_mean, list};
use crate::place::{At, Origin};
use crate::problem::{Problem, Problems};
use crate::tree::{Data, Entry, Node};
use maquette_core::{Dtype, Kind, SUBJECT, Setting};
use std::path::{Component, Path};
use std::sync::Arc;

/// Options of the command line that override the file.
///
/// A value that parses as TOML text, a number, `true`, `false`, a list or a table is that value; anything else is text
/// as it is. `subject="7"` is text that would otherwise be a number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--set`: `steps=30`, `prompt=a cat`, `vars.subject=a cat` or `subject=a cat`, `subject.me.steps=400`.
    pub set: Vec<String>,
    /// `--sweep`: `seed=1,2`, `artist="Mucha, Alphonse",Klimt`, or as in the file: `seed={from=1,to=4,step=1}`,
    /// `artist=["A","B"]`. Values are separated by commas outside quotes and brackets; empty values are kept.
    pub sweep: Vec<String>,
    /// `--only`: `artist=Edvard Munch`. Different names must all match; for the same name given twice, either value may match.
    pub only: Vec<String>,
    /// `--dtype`.
    pub dtype: Option<Dtype>,
}

/// What `--set` allows.
const SETTABLE: &str =
    "allowed: a setting, a placeholder, `vars.NAME`, `sheet.NAME`, `subject.NAME.KEY` or `title`";

/// Reads the options: the layers above the file, in the order given, and the entries of `--only`.
pub(crate) fn read(
    overrides: &Overrides,
    folder: &Path,
    problems: &mut Problems,
) -> (Vec<Layer>, Vec<Entry>) {
    // Paths on the command line are relative to the current folder; this leads there from the experiment's folder.
    let prefix = current_folder_from(folder);
    let mut layer = 0;
    let mut origin = |option: &str, text: &str| {
        layer += 1;
        Arc::new(Origin::new(option, text.to_owned(), Path::new(""), &prefix, layer))
    };
    let mut layers = Vec::new();
    for text in &overrides.set {
        layers.extend(problems.keep(set(&origin(&format!("--set {text}"), text))));
    }
    for text in &overrides.sweep {
        layers.extend(problems.keep(sweep(&origin(&format!("--sweep {text}"), text))));
    }
    if let Some(dtype) = overrides.dtype {
        let text = format!("dtype={dtype}");
        layers.extend(problems.keep(set(&origin(&format!("--dtype {dtype}"), &text))));
    }
    let only = overrides.only.iter();
    let only = only.filter_map(|text| problems.keep(only_entry(&origin(&format!("--only {text}"), text))));
    (layers, only.collect())
}

/// The path of the current folder relative to another one; absolute if that cannot be expressed.
fn current_folder_from(folder: &Path) -> String {
    let plain = folder.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if plain {
        let up = folder.components().filter(|part| matches!(part, Component::Normal(_)));
        return up.map(|_| "..").collect::<Vec<_>>().join("/");
    }
    let here = std::env::current_dir().unwrap_or_default();
    here.to_string_lossy().replace('\\', "/")
}

/// The name and the value of `name=value`, with the value's offset.
fn split(origin: &Arc<Origin>) -> Result<(String, At, usize, &str), Problem> {
    let text = origin.text();
    let Some((name, value)) = text.split_once('=') else {
        let message = format!("`{}` has no value", origin.name());
        return Err(Problem::at(&At::whole(origin), message).help("allowed: NAME=VALUE"));
    };
    if name.trim().is_empty() {
        let message = format!("`{}` has no name", origin.name());
        return Err(Problem::at(&At::whole(origin), message).help("allowed: NAME=VALUE"));
    }
    let at = At { origin: Arc::clone(origin), span: 0..name.len() };
    let offset = name.len() + 1;
    Ok((name.trim().to_owned(), at, offset, value))
}

fn set(origin: &Arc<Origin>) -> Result<Layer, Problem> {
    let (name, at, offset, value) = split(origin)?;
    let (table, key) = match name.split_once('.') {
        Some(("vars", key)) => (Some("vars"), key.to_owned()),
        Some(("sheet", key)) => (Some("sheet"), key.to_owned()),
        Some((SUBJECT, path)) if path.contains('.') => {
            return set_of_subject(origin, path, at, offset, value);
        }
        Some(_) => {
            let message = format!("`{name}` cannot be set");
            return Err(Problem::at(&at, message).help(SETTABLE));
        }
        None => (None, name),
    };
    let node = literals::one(origin, offset, value, &key)?;
    // Several weight files are combined into one value.
    let weights = Setting::named(&key).is_some_and(|setting| setting.kind == Kind::Weights);
    if node.scalar().is_none() && !weights {
        let message = format!("`{}` gives {}; allowed: one value", origin.name(), node.what());
        return Err(Problem::at(&node.at, message).help("use --sweep for several values"));
    }
    let entry = Entry { key, at, node };
    let mut layer = Layer::default();
    match (table, entry.key.as_str()) {
        (Some("sheet"), name) if SHEET_KEYS.contains(&name) => layer.sheet.push(entry),
        (Some("sheet"), name) => {
            return Err(Problem::at(&entry.at, format!("`{name}` is not a key of [sheet]"))
                .help(format!("allowed: {}", list(SHEET_KEYS.iter().copied())))
                .help_if(did_you_mean(name, SHEET_KEYS.iter().copied())));
        }
        (None, "title") => layer.title = Some(entry.node),
        (None, name) if Setting::named(name).is_some() => layer.settings.push(entry),
        (None, name) if is_key(name) => {
            let message = format!("`{name}` cannot be set on the command line");
            return Err(Problem::at(&entry.at, message).help(SETTABLE));
        }
        (_, name) if is_top_level(name) => {
            let problem = Problem::at(&entry.at, format!("`{name}` is a key of the file, not a placeholder"));
            return Err(match name == "title" || Setting::named(name).is_some() {
                true => problem.help(format!("use --set {name}=...")),
                false => problem.help("give the placeholder another name"),
            });
        }
        _ => layer.vars.push(entry),
    }
    Ok(layer)
}

/// `subject.NAME.KEY=VALUE`, of which `path` is `NAME.KEY`.
fn set_of_subject(
    origin: &Arc<Origin>,
    path: &str,
    at: At,
    offset: usize,
    value: &str,
) -> Result<Layer, Problem> {
    let (name, key) = path.rsplit_once('.').unwrap_or((path, ""));
    let node = literals::one(origin, offset, value, key)?;
    let entry = Entry { key: key.to_owned(), at: at.clone(), node };
    let table = Node { at: At::whole(origin), data: Data::Table(vec![entry]) };
    Ok(Layer { subjects: vec![Entry { key: name.to_owned(), at, node: table }], ..Layer::default() })
}

fn sweep(origin: &Arc<Origin>) -> Result<Layer, Problem> {
    let (name, at, offset, value) = split(origin)?;
    if is_key(&name) {
        let problem = Problem::at(&at, format!("`{name}` cannot be swept"));
        return Err(problem.help("allowed: a setting or a placeholder"));
    }
    let node = literals::list(origin, offset, value, &name)?;
    let axis = WrittenAxis { name, at, form: Form::Sweep(node) };
    Ok(Layer { axes: vec![axis], ..Layer::default() })
}

fn only_entry(origin: &Arc<Origin>) -> Result<Entry, Problem> {
    let (key, at, offset, value) = split(origin)?;
    // A list in brackets is several values, for every kind of setting.
    let node = match literals::one(origin, offset, value, "")? {
        node @ Node { data: Data::List(_), .. } => node,
        _ => literals::one(origin, offset, value, &key)?,
    };
    let plain = |node: &Node| node.scalar().is_some();
    let fits = match &node.data {
        Data::List(nodes) => nodes.iter().all(plain),
        _ => plain(&node),
    };
    if !fits {
        let message =
            format!("`{}` gives {}; allowed: a value or a list of values", origin.name(), node.what());
        return Err(Problem::at(&node.at, message));
    }
    Ok(Entry { key, at, node })
}
