//! `maquette pull`: copies a run from a bucket into a folder, and prints the paths of its log, sheets and page there.

use super::shared_workspace;
use crate::args::{Common, PullArgs};
use crate::exit::Outcome;
use crate::output;

pub fn pull(args: &PullArgs, common: &Common) -> Outcome {
    let (run, report) = shared_workspace(common)?.pull(&args.run, &args.folder, &mut output::warning)?;
    let log = run.dir().join("log.csv");
    output::print(&output::paths([log].into_iter().chain(report.sheets).chain([report.page])))
}
