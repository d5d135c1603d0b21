//! `maquette report`: draws the sheets of a run again.

use super::workspace;
use crate::args::{Common, ReportArgs};
use crate::exit::Outcome;
use crate::output;

pub fn report(args: &ReportArgs, common: &Common) -> Outcome {
    output::print(&output::paths(workspace(common)?.report(&args.run, &mut output::warning)?))
}
