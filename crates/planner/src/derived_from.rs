//! `derived_from`: the run and the cells that an experiment was derived from.

use crate::nearest::{did_you_mean, list};
use crate::problem::{Problem, Problems};
use crate::tree::{Data, Entry, Node, find};
use maquette_core::{CellId, DerivedFrom};

/// The keys of the table.
pub(crate) const KEYS: &[&str] = &["run", "cells"];

const FORM: &str = "allowed: `{ run = \"mucha@1\", cells = [\"<64 digits>\", …] }`; `cells` may be left out";

/// Reads the table; `None` without one, and after an error, which is added to `problems`.
pub(crate) fn read(node: Option<&Node>, problems: &mut Problems) -> Option<DerivedFrom> {
    let node = node?;
    let Some(entries) = node.table() else {
        let message = format!("`derived_from` is {}, not a table", node.what());
        problems.add(Problem::at(&node.at, message).help(FORM));
        return None;
    };
    for entry in entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        let problem = Problem::at(&entry.at, format!("`{}` is not a key of `derived_from`", entry.key));
        let allowed = format!("allowed: {}", list(KEYS.iter().copied()));
        problems.add(problem.help(allowed).help_if(did_you_mean(&entry.key, KEYS.iter().copied())));
    }
    let run = problems.keep(run(node, find(entries, "run")));
    let cells = problems.keep(find(entries, "cells").map_or(Ok(Vec::new()), cells));
    Some(DerivedFrom { run: run?, cells: cells? })
}

fn run(node: &Node, entry: Option<&Entry>) -> Result<String, Problem> {
    let Some(entry) = entry else {
        return Err(Problem::at(&node.at, "`derived_from` names no `run`").help(FORM));
    };
    match entry.node.text().filter(|text| !text.trim().is_empty()) {
        Some(run) => Ok(run.to_owned()),
        None => {
            let message = format!("`run` is {}; allowed: the name of a run", entry.node.what());
            Err(Problem::at(&entry.node.at, message).help(FORM))
        }
    }
}

fn cells(entry: &Entry) -> Result<Vec<CellId>, Problem> {
    let cell = |node: &Node| {
        let digest = node.text().and_then(|text| text.parse().ok());
        digest.map(CellId).ok_or_else(|| {
            let message = format!("a cell is {}; allowed: its 64 hexadecimal digits", node.what());
            Problem::at(&node.at, message).help(FORM)
        })
    };
    match &entry.node.data {
        Data::List(nodes) => nodes.iter().map(cell).collect(),
        _ => {
            let message = format!("`cells` is {}; allowed: a list", entry.node.what());
            Err(Problem::at(&entry.node.at, message).help(FORM))
        }
    }
}
