//! `maquette runs`: lists the runs folder.

use super::workspace;
use crate::args::Common;
use crate::exit::Outcome;
use crate::output;
use maquette::{RunContent, RunEntry};

pub fn runs(common: &Common) -> Outcome {
    let rows = workspace(common)?.list_runs()?.into_iter().map(row);
    output::print(&output::table(&["run", "cells", "title"], rows))
}

fn row(RunEntry { run, content }: RunEntry) -> Vec<String> {
    let Some(RunContent { title, cells, done, failed }) = content else {
        return vec![run.to_string(), "unreadable".to_owned(), String::new()];
    };
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    vec![run.to_string(), format!("{done} of {cells}{failed}"), title]
}
