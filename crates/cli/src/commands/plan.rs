//! `maquette plan`: shows what an experiment would do and what it would cost.

use super::{draft, experiment, rendering_workspace};
use crate::args::{BackendName, Common, PlanArgs};
use crate::exit::Outcome;
use crate::{output, text};
use maquette::Error;

pub fn plan(args: &PlanArgs, common: &Common) -> Outcome {
    let workspace =
        rendering_workspace(common, &args.experiment.device, args.experiment.offload, BackendName::Engine)?;
    let planned = workspace.plan(&experiment(&args.experiment))?;
    let forecast = workspace.forecast(&planned)?;
    let drafts =
        draft(&args.draft).map(|options| workspace.draft_forecast(&planned, &options)).transpose()?;
    output::print(&text::plan(&planned, &forecast, drafts.as_ref(), args.cells).map_err(Error::from)?)
}
