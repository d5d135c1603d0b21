//! `maquette runs`: lists the runs folder.

use super::shared_workspace;
use crate::args::{Common, RunsArgs};
use crate::exit::Outcome;
use crate::{output, text};

pub fn runs(args: &RunsArgs, common: &Common) -> Outcome {
    let runs = shared_workspace(common)?.list_runs()?;
    output::print(&if args.json { text::runs_json(&runs) } else { text::runs(&runs) })
}
