//! `maquette rename`: gives runs another name, and prints their folders.

use super::workspace;
use crate::args::{Common, RenameArgs};
use crate::exit::Outcome;
use crate::output;

pub fn rename(args: &RenameArgs, common: &Common) -> Outcome {
    let runs = workspace(common)?.rename(&args.run, &args.name)?;
    if let (Some(run), false) = (runs.last(), common.quiet) {
        output::message(format_args!("`maquette report {run}` writes the new name on its sheets and page"));
    }
    output::print(&output::paths(runs.iter().map(|run| run.dir().to_owned())))
}
