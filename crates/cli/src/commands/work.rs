//! `maquette run --worker`: works on a run that other processes work on, too. The last one to finish prints the paths of the
//! log, the sheets and the page.

use super::{experiment, shared_workspace, with_device};
use crate::args::{Common, RunArgs};
use crate::exit::{Exit, Outcome};
use crate::run_events::RunEvents;
use crate::{array_task, output, text};
use maquette::{Stop, WorkOptions};
use std::time::Duration;

pub fn work(args: &RunArgs, common: &Common) -> Outcome {
    let workspace = with_device(
        shared_workspace(common)?,
        &args.experiment.device,
        args.experiment.offload,
        args.backend,
    )?;
    let name =
        args.worker_name.clone().unwrap_or_else(|| array_task::worker_name(&|name| std::env::var(name).ok()));
    let options = WorkOptions {
        lease: Duration::from_secs(args.lease),
        rows: args.rows.map(|rows| rows as usize),
        sheets: !args.no_sheets,
        ..WorkOptions::named(name)
    };
    let stop = Stop::new();
    let mut events = RunEvents::new(args.progress, common.quiet, args.open, &stop);
    let result =
        workspace.work(&experiment(&args.experiment), &options, &stop, &mut |event| events.show(event))?;
    events.note(text::worked(&result));
    // The page comes last, next to the prompt, because it is opened first; the first sheet before it.
    output::print(&output::paths(
        result.log.into_iter().chain(result.sheets.into_iter().rev()).chain(result.page),
    ))?;
    Ok(Exit::from(&result.summary))
}
