//! `maquette runs`: what lies in the runs folder.

use crate::args::Common;
use crate::exit::Exit;
use crate::output::{self, Outcome};
use maquette_store::{Run, Runs, Status};

pub fn runs(common: &Common) -> Outcome {
    let runs = Runs::open(&common.runs).map_err(output::store_failure(Exit::NotFound))?;
    let list = runs.list().map_err(output::store_failure(Exit::NotFound))?;
    let rows = list.iter().map(|run| vec![run.to_string(), progress(run), title(run)]);
    output::print(&output::table(&["run", "cells", "title"], rows))
}

/// Done of all, and failed ones, in words; damaged runs are listed all the same.
fn progress(run: &Run) -> String {
    let (Ok(plan), Ok(log)) = (run.plan(), run.log()) else { return "unreadable".to_owned() };
    let done = log.iter().filter(|row| row.status() == Status::Done).count();
    let failed = log.len() - done;
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    format!("{done} of {}{failed}", plan.len())
}

fn title(run: &Run) -> String {
    run.plan().map(|plan| plan.title).unwrap_or_default()
}
