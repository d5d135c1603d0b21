//! Whether the sheets and the page of a run show what the run has, so that a run with nothing to do leaves them alone.

use crate::environment::program;
use crate::page;
use maquette_core::{Digest, Plan};
use maquette_store::{Run, Runs};
use std::path::PathBuf;

/// Everything that sheets and page are made from, to be taken before they are made; `None` while a process renders into the
/// run.
pub(crate) fn report_inputs(runs: &Runs, run: &Run, plan: &Plan) -> Option<Digest> {
    let ancestry = page::ancestry(runs, run, plan);
    run.report_inputs(&program()?, &format!("{ancestry:?}")).filter(|_| !run.is_in_use())
}

/// Remembers what sheets and page were just made from, if all of them were made.
pub(crate) fn remember_report(run: &Run, inputs: Option<Digest>, sheets: &[PathBuf], page: Option<&PathBuf>) {
    if let (Some(inputs), Some(_), false) = (inputs, page, sheets.is_empty()) {
        // Without it the next run makes them again.
        let _ = run.remember_report(inputs, sheets);
    }
}
