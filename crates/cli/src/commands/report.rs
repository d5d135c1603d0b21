//! `maquette report`: redraws the sheets of a run.

use super::workspace;
use crate::args::{Common, ReportArgs};
use crate::exit::Outcome;
use crate::output;

pub fn report(args: &ReportArgs, common: &Common) -> Outcome {
    output::print(&output::paths(workspace(common)?.report(&args.run, &mut output::warning)?))
}
