//! `maquette run`: renders the missing cells of an experiment, and prints the paths of the log, the sheets and the page.

use super::{draft, experiment, rendering_workspace};
use crate::args::{Common, RunArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::run_events::RunEvents;
use crate::{array_task, output, text};
use maquette::{RunOptions, Shard, Stop};
use std::time::Duration;

/// How often `--wait` tries again.
const WAIT: Duration = Duration::from_secs(1);

pub fn run(args: &RunArgs, common: &Common) -> Outcome {
    let shard = args.shard.as_deref().map(shard).transpose()?;
    let workspace =
        rendering_workspace(common, &args.experiment.device, args.experiment.offload, args.backend)?;
    let rows = args.rows.map(|rows| rows as usize);
    let draft = draft(&args.draft);
    let options =
        RunOptions { shard, rows, sheets: !args.no_sheets, download: true, draft, fail_fast: args.fail_fast };
    let stop = Stop::new();
    let mut events = RunEvents::new(args.progress, common.quiet, args.open, &stop);
    let experiment = experiment(&args.experiment);
    let mut noted = false;
    let result = loop {
        match workspace.run(&experiment, &options, &stop, &mut |event| events.show(event)) {
            Err(error) if args.wait && error.is_in_use() => {
                if !noted {
                    events.note(format!("waiting: {error}"));
                    noted = true;
                }
                std::thread::sleep(WAIT);
            }
            result => break result?,
        }
    };
    if let Some(drafts) = &result.drafts {
        events.note(format!("drafts: {}", text::counts(drafts)));
    }
    events.note(text::summary(&result.summary));
    // The page comes last, next to the prompt, because it is opened first; the first sheet before it.
    let log = result.log();
    output::print(&output::paths(
        [log].into_iter().chain(result.sheets.into_iter().rev()).chain(result.page),
    ))?;
    let failed = args.fail_fast && !result.summary.failures.is_empty();
    Ok(if failed { Exit::CellsFailed } else { Exit::from(&result.summary) })
}

/// The share that `--shard` names; `auto` is that of this task in its job array.
fn shard(text: &str) -> Result<Shard, Failure> {
    match array_task::auto(text, &|name| std::env::var(name).ok()) {
        Some(found) => found.map_err(|error| Failure::new(Exit::Experiment, error)),
        None => text.parse::<Shard>().map_err(|error| Failure::new(Exit::Experiment, error)),
    }
}
