//! `[metrics]`: what to measure in the pictures.
//!
//! Which metrics there are is known above; the planner gets their names.

use crate::grid::Grid;
use crate::nearest::{did_you_mean, list};
use crate::problem::{Problem, Problems};
use crate::sheet::axis_name;
use crate::tree::{Data, Entry, Node};
use maquette_core::MetricsSpec;

/// The names that `[metrics]` may use.
#[derive(Debug, Clone, Copy, Default)]
pub struct MetricNames<'a> {
    /// The metrics.
    pub metrics: &'a [&'a str],
    /// The kinds of models, which are keys of the table, with a line of help each.
    pub models: &'a [(&'a str, &'a str)],
}

/// The help of the key `neighbours`.
pub(crate) const NEIGHBOURS: &str = "The axis along which neighbours are compared; the innermost axis of numbers that is not \
                                     the seed unless given.";

/// Reads the table. Neighbours along an axis removed by a later layer are left for the measurement to choose.
pub(crate) fn read(
    entries: &[Entry],
    names: &MetricNames<'_>,
    grid: &Grid,
    dropped: &[String],
    problems: &mut Problems,
) -> MetricsSpec {
    let mut spec = MetricsSpec::default();
    for entry in entries {
        let key = entry.key.as_str();
        match key {
            "measure" => spec.measure = problems.keep(measure(entry, names.metrics)).unwrap_or_default(),
            "neighbours" => {
                spec.neighbours = problems.keep(axis_name(entry, grid, dropped)).flatten();
            }
            _ if names.models.iter().any(|(model, _)| *model == key) => {
                if let Some(model) = problems.keep(model(entry)) {
                    spec.models.insert(key.to_owned(), model);
                }
            }
            _ => problems.add(unknown(entry, names)),
        }
    }
    spec
}

fn measure(entry: &Entry, names: &[&str]) -> Result<Vec<String>, Problem> {
    let Data::List(nodes) = &entry.node.data else {
        let message = format!("`measure` is {}; allowed: a list of metrics", entry.node.what());
        return Err(Problem::at(&entry.node.at, message).help(format!("allowed: {}", list_all(names))));
    };
    let mut measure: Vec<String> = Vec::new();
    for node in nodes {
        let name = metric(node, names)?;
        if measure.contains(&name) {
            return Err(Problem::at(&node.at, format!("`measure` has `{name}` twice")));
        }
        measure.push(name);
    }
    Ok(measure)
}

fn metric(node: &Node, names: &[&str]) -> Result<String, Problem> {
    match node.text() {
        Some(name) if names.contains(&name) => Ok(name.to_owned()),
        name => Err(Problem::at(&node.at, format!("{} is not a metric", node.what()))
            .help(format!("allowed: {}", list_all(names)))
            .help_if(name.and_then(|name| did_you_mean(name, names.iter().copied())))),
    }
}

/// A folder, relative to the experiment file's folder like every path, or a repository on the hub: both may have the form
/// `OWNER/NAME`, so a name is a path if it is written as one or such a folder exists.
fn model(entry: &Entry) -> Result<String, Problem> {
    let origin = &entry.node.at.origin;
    let is_path = |name: &str| name.starts_with('.') || origin.folder.join(name).is_dir();
    match entry.node.text() {
        Some(name) if is_path(name) && !name.is_empty() => Ok(origin.rebase(name)),
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => {
            let message = format!("`{}` is {}; allowed: the name of a model", entry.key, entry.node.what());
            Err(Problem::at(&entry.node.at, message))
        }
    }
}

fn unknown(entry: &Entry, names: &MetricNames<'_>) -> Problem {
    if crate::layer::is_top_level(&entry.key) {
        return crate::layer::misplaced(entry, "metrics");
    }
    let keys = ["measure", "neighbours"].into_iter().chain(names.models.iter().map(|(model, _)| *model));
    let keys: Vec<&str> = keys.collect();
    let problem = Problem::at(&entry.at, format!("`{}` is not a key of [metrics]", entry.key))
        .help(format!("allowed: {}", list_all(&keys)));
    match names.metrics.contains(&entry.key.as_str()) {
        true => problem.help(format!("metrics are listed: `measure = [\"{}\"]`", entry.key)),
        false => problem.help_if(did_you_mean(&entry.key, keys.iter().copied())),
    }
}

fn list_all(names: &[&str]) -> String {
    list(names.iter().copied())
}
