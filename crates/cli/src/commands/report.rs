//! `maquette report`: makes the sheets and the page of a run again.

use super::workspace;
use crate::args::{Common, ReportArgs};
use crate::exit::Outcome;
use crate::output;
use maquette::Report;

pub fn report(args: &ReportArgs, common: &Common) -> Outcome {
    let Report { sheets, page } = workspace(common)?.report(&args.run, &mut output::warning)?;
    if args.open {
        output::open(&page);
    }
    output::print(&output::paths(sheets.into_iter().chain([page])))
}
