//! `maquette run`: renders the missing cells of an experiment, and prints the paths of the log, the sheets and the page.

use super::{draft, experiment, rendering_workspace};
use crate::args::{Common, RunArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::run_events::RunEvents;
use crate::{array_task, output, text};
use maquette::{RunOptions, Shard, Stop};

pub fn run(args: &RunArgs, common: &Common) -> Outcome {
    let shard = args.shard.as_deref().map(shard).transpose()?;
    let workspace = rendering_workspace(common, &args.experiment.device, args.backend)?;
    let rows = args.rows.map(|rows| rows as usize);
    let draft = draft(&args.draft);
    let options = RunOptions { shard, rows, sheets: !args.no_sheets, download: true, draft };
    let stop = Stop::new();
    let mut events = RunEvents::new(args.progress, common.quiet, args.open, &stop);
    let result =
        workspace.run(&experiment(&args.experiment), &options, &stop, &mut |event| events.show(event))?;
    if let Some(drafts) = &result.drafts {
        events.note(format!("drafts: {}", text::counts(drafts)));
    }
    events.note(text::summary(&result.summary));
    // The page comes last, next to the prompt, because it is opened first; the first sheet before it.
    let log = result.log();
    output::print(&output::paths(
        [log].into_iter().chain(result.sheets.into_iter().rev()).chain(result.page),
    ))?;
    Ok(Exit::from(&result.summary))
}

/// The share that `--shard` names; `auto` is that of this task in its job array.
fn shard(text: &str) -> Result<Shard, Failure> {
    match array_task::auto(text, &|name| std::env::var(name).ok()) {
        Some(found) => found.map_err(|error| Failure::new(Exit::Experiment, error)),
        None => text.parse::<Shard>().map_err(|error| Failure::new(Exit::Experiment, error)),
    }
}
