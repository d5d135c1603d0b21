//! `maquette run`: plan, render what is missing, draw the sheets.

use crate::args::{Common, RunArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::fetching::Shown;
use crate::output::{self, Outcome, store_failure, talk, with_causes};
use crate::planning::{self, Planning};
use crate::progress::display;
use crate::{memory, rendering, sheets, signals};
use maquette_core::CellId;
use maquette_executor::{ExecuteError, Progress, Stop, Summary, execute};
use maquette_store::{Beginning, RunWriter, Shard, Timings, Work};
use std::path::PathBuf;
use std::sync::mpsc::channel;

pub fn run(args: &RunArgs, common: &Common) -> Outcome {
    let shard = args.shard.as_deref().map(str::parse::<Shard>).transpose().or_exit(Exit::Experiment)?;
    let runs = planning::runs(&common.runs)?;
    let shown = Shown { how: args.progress, quiet: common.quiet };
    let Planning { planned, device, base } =
        planning::plan(&args.experiment, args.backend, &runs, Some(shown))?;
    let rows = args.rows.map(|rows| rows as usize);
    let mut backend = rendering::backend(args.backend, device, base, rows)?;
    let mut writer = runs
        .start(&planned.plan.name, &planned.resolved, &planned.plan, &planned.source, shard)
        .map_err(store_failure(Exit::NotFound))?;
    let plan = writer.plan();
    // A run that goes on may hold other draws than this plan; otherwise the cells are those just planned.
    let cells = match plan.drawn == planned.plan.drawn {
        true => planned.distinct,
        false => maquette_planner::distinct(&plan).or_exit(Exit::Unexpected)?,
    };
    if !common.quiet {
        planned.notes.iter().for_each(|note| talk(format_args!("note: {note}")));
        talk(format_args!("{} on {}{}", writer.run(), backend.device(), why(writer.beginning())));
    }

    let stop = Stop::new();
    signals::listen(&stop);
    let mut display = display(args.progress, common.quiet);
    let run = writer.run().clone();
    let (landed, landings) = channel();
    let executed = std::thread::scope(|scope| {
        if !args.no_sheets {
            scope.spawn(|| sheets::keep_drawing(&run, &plan, landings));
        }
        let executed = execute(&cells, backend.as_mut(), &mut writer, &stop, &mut |progress| {
            if let Progress::Finished { record } | Progress::Failed { record } = &progress
                && let Some(index) = plan.index_at(&record.cell.coordinates)
            {
                // Nobody listens when there are no sheets to draw.
                let _ = landed.send(index);
            }
            display.show(&progress);
        });
        drop(landed);
        executed
    });
    display.close();
    let summary = executed.map_err(|error| execute_failure(&error))?;
    if summary.rendered > 0 {
        remember_memory(&writer, &cells, &backend.device());
    }
    drop(writer);

    let sheets = match args.no_sheets {
        true => Vec::new(),
        // A failed report is a warning: the pictures are there.
        false => sheets::draw(&run, &plan).unwrap_or_else(|failure| {
            talk(format_args!("warning: {:?}", failure.report));
            Vec::new()
        }),
    };
    if !common.quiet {
        talk(said(&summary));
    }
    output::print(&paths(run.dir().join("log.csv"), sheets))?;
    Ok(exit(&summary))
}

/// Notes the most memory that this process took, for the kinds of cells it rendered: estimates come from it.
fn remember_memory(writer: &RunWriter, cells: &[(usize, CellId)], device: &str) {
    let Some(peak) = memory::peak() else { return };
    let plan = writer.plan();
    let mut measured = Timings::default();
    for cell in cells.iter().filter_map(|(index, _)| plan.cell(*index).ok()) {
        measured.add_memory(Work::of(&cell.settings, &writer.fingerprint(&cell), device), peak);
    }
    // An estimate that cannot be kept is no reason to fail.
    let _ = writer.remember(&measured);
}

/// Why the run has the number it has, in words.
fn why(beginning: Beginning) -> &'static str {
    match beginning {
        Beginning::First => "",
        Beginning::GoesOn => ": unchanged, so it goes on",
        Beginning::Changed => ": the experiment has changed, so a new run begins",
        Beginning::OtherVersion => ": the run before cannot be continued, so a new one begins",
    }
}

fn execute_failure(error: &ExecuteError) -> Failure {
    let help = error.hint().unwrap_or_default();
    Failure::message(Exit::Unexpected, with_causes(error), help)
}

/// What the run came to, in words; the failed cells one by one.
fn said(summary: &Summary) -> String {
    let Summary { done, reused, rendered, failures, .. } = summary;
    let mut text =
        format!("{rendered} rendered, {} kept from before, {} failed", done + reused, failures.len());
    for failure in failures {
        text += &format!("\n  {}: {}", failure.label, failure.error);
    }
    if summary.interrupted {
        text += &format!("\ninterrupted with {} cells to go; run again to go on", summary.left());
    }
    text
}

/// The results, the first sheet last: it is what one wants to open.
fn paths(log: PathBuf, mut sheets: Vec<PathBuf>) -> String {
    sheets.reverse();
    [log].into_iter().chain(sheets).map(|path| format!("{}\n", path.display())).collect()
}

fn exit(summary: &Summary) -> Exit {
    match summary {
        Summary { interrupted: true, .. } => Exit::Interrupted,
        Summary { failures, .. } if !failures.is_empty() => Exit::CellsFailed,
        _ => Exit::Done,
    }
}
