//! `maquette report`: the sheets of a run, drawn again.

use crate::args::{Common, ReportArgs};
use crate::exit::Exit;
use crate::output::{self, Outcome, store_failure};
use crate::{planning, sheets};

pub fn report(args: &ReportArgs, common: &Common) -> Outcome {
    let run = planning::runs(&common.runs)?.find(&args.run).map_err(store_failure(Exit::NotFound))?;
    let plan = run.plan().map_err(store_failure(Exit::NotFound))?;
    let sheets = sheets::draw(&run, &plan)?;
    output::print(&sheets.iter().map(|path| format!("{}\n", path.display())).collect::<String>())
}
