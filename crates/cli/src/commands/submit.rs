//! `maquette submit`: hands a run to a queue, as an array of workers and a job that reports.

use super::{experiment, rendering_workspace};
use crate::args::{Common, SubmitArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::run_events::RunEvents;
use crate::slurm::{self, Jobs};
use crate::{args, output};
use maquette::{PreparedRun, Stop, Submission};

pub fn submit(args: &SubmitArgs, common: &Common) -> Outcome {
    let unexpected = |error: std::io::Error| Failure::new(Exit::Unexpected, error);
    let workspace = rendering_workspace(common, &args.experiment.device, args.backend)?;
    let mut events = RunEvents::new(args::Progress::Auto, common.quiet, false, &Stop::new());
    let prepared = workspace.prepare(&experiment(&args.experiment), &mut |event| events.show(event))?;
    let PreparedRun { run, dtype } = prepared;
    let jobs = Jobs {
        run: run.to_string(),
        folder: std::path::absolute(run.submit_folder()).map_err(unexpected)?,
        program: std::env::current_exe().map_err(unexpected)?,
        runs: std::path::absolute(&common.runs).map_err(unexpected)?,
        file: std::path::absolute(&args.experiment.file).map_err(unexpected)?,
        workers: args.workers,
        arguments: args.worker_arguments(dtype),
    };
    let workers = run.write_script("workers.sh", &jobs.workers_script()).map_err(maquette::Error::from)?;
    let report = run.write_script("report.sh", &jobs.report_script()).map_err(maquette::Error::from)?;
    let (workers, report) = slurm::submit(&workers, &report, &args.options)?;
    events.note(format!(
        "{run}: {} workers as job {workers}, a report after them as job {report}",
        args.workers
    ));
    events.note(format!("maquette status {run} shows how far they are"));
    let submission = Submission { queue: slurm::NAME.to_owned(), workers: workers.clone(), report };
    run.write_submission(&submission).map_err(maquette::Error::from)?;
    output::print(&format!("{workers}\n"))
}
