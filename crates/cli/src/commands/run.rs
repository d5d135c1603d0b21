//! `maquette run`: renders the missing cells of an experiment, and prints the paths of the log, the sheets and the page.

use super::{draft, experiment, rendering_workspace};
use crate::args::{Common, RunArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::progress::{Download, display};
use crate::{output, signals, text};
use maquette::{RunEvent, RunOptions, Shard, Stop, Summary};

pub fn run(args: &RunArgs, common: &Common) -> Outcome {
    let shard = args.shard.as_deref().map(str::parse::<Shard>).transpose();
    let shard = shard.map_err(|error| Failure::new(Exit::Experiment, error))?;
    let workspace = rendering_workspace(common, &args.experiment.device, args.backend)?;
    let rows = args.rows.map(|rows| rows as usize);
    let draft = draft(&args.draft);
    let options = RunOptions { shard, rows, sheets: !args.no_sheets, download: true, draft };
    let stop = Stop::new();
    let mut download = Download::new(args.progress, common.quiet);
    let mut display = None;
    let note = |text: String| {
        if !common.quiet {
            output::message(text);
        }
    };
    let result = workspace.run(&experiment(&args.experiment), &options, &stop, &mut |event| match event {
        RunEvent::Fetch(event) => download.show(event),
        RunEvent::Note(text) => note(format!("note: {text}")),
        RunEvent::Started { run, device, reason } => {
            note(format!("{run} on {device}{}", text::reason(reason)));
            signals::listen(&stop);
            display = Some(self::display(args.progress, common.quiet));
        }
        RunEvent::Page(page) if args.open => output::open(page),
        RunEvent::Progress(progress) => display.iter_mut().for_each(|display| display.show(progress)),
        RunEvent::Measuring { metrics, done, pictures } if done == pictures => {
            note(text::measured(metrics, pictures));
        }
        RunEvent::Rendered => display.iter_mut().for_each(|display| display.close()),
        RunEvent::Warning(text) => output::warning(&text),
        _ => {}
    })?;
    if let Some(drafts) = &result.drafts {
        note(format!("drafts: {}", text::counts(drafts)));
    }
    note(text::summary(&result.summary));
    // The page comes last, next to the prompt, because it is opened first; the first sheet before it.
    let log = result.log();
    output::print(&output::paths(
        [log].into_iter().chain(result.sheets.into_iter().rev()).chain(result.page),
    ))?;
    Ok(exit(&result.summary))
}

fn exit(summary: &Summary) -> Exit {
    match summary {
        Summary { interrupted: true, .. } => Exit::Interrupted,
        Summary { failures, .. } if !failures.is_empty() => Exit::CellsFailed,
        _ => Exit::Done,
    }
}
