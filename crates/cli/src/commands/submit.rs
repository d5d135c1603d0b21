//! `maquette submit`: hands a run to a queue.

use super::{experiment, shared_workspace, with_device};
use crate::args::{Common, SubmitArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::queues::kubernetes::{self, Files, Pods};
use crate::queues::{Jobs, hyperqueue, slurm};
use crate::run_events::RunEvents;
use crate::{args, output};
use maquette::{PreparedRun, Run, Stop};
use std::io::Error;
use std::path::{Path, PathBuf};

pub fn submit(args: &SubmitArgs, common: &Common) -> Outcome {
    let workspace = with_device(
        shared_workspace(common)?,
        &args.experiment.device,
        args.experiment.offload,
        args.backend,
    )?;
    let is_bucket = workspace.runs().is_bucket();
    let experiment = experiment(&args.experiment);
    let mut events = RunEvents::new(args::Progress::Auto, common.quiet, false, &Stop::new());
    let prepared = workspace.prepare(&experiment, &mut |event| events.show(event))?;
    let PreparedRun { run, dtype } = prepared;
    let jobs = Jobs {
        run: run.to_string(),
        folder: if is_bucket { None } else { Some(absolute(&run.submit_folder())?) },
        program: std::env::current_exe().map_err(unexpected)?,
        runs: if is_bucket { common.runs.clone() } else { absolute(&common.runs)? },
        file: absolute(&args.experiment.file)?,
        workers: args.workers,
        arguments: args.worker_arguments(dtype),
    };
    let write = |name: &str, text: &str| run.write_script(name, text).map_err(maquette::Error::from);
    let submission = if let Some(image) = &args.image {
        let gpu = args.experiment.device.starts_with("cuda");
        let files = Files::of(
            &jobs,
            (args.claim.as_deref(), &absolute(&args.mount)?),
            args.secret.is_some(),
            &experiment.read()?,
        )?;
        let pods = Pods { image: image.clone(), gpu, secret: args.secret.clone(), files };
        let manifest = kubernetes::manifest(&jobs, &pods)?;
        events.note(format!("{run}: the manifest of {} workers, which submits them:", args.workers));
        return output::print(&match is_bucket {
            // There is no folder that it could stay in.
            true => manifest,
            false => format!("{}\n", kubernetes::apply(&write("job.yaml", &manifest)?)),
        });
    } else if args.hyperqueue {
        hyperqueue::submit(&jobs, &write("workers.sh", &hyperqueue::workers_script(&jobs))?, &args.options)?
    } else {
        let workers = write("workers.sh", &slurm::workers_script(&jobs))?;
        // A report needs a folder; in a bucket the last worker draws the sheets.
        let report = match is_bucket {
            true => None,
            false => Some(write("report.sh", &slurm::report_script(&jobs))?),
        };
        slurm::submit(&workers, report.as_deref(), &args.options)?
    };
    note(&run, args.workers, &submission, &events);
    run.write_submission(&submission).map_err(maquette::Error::from)?;
    workspace.runs().upload_submission(&run).map_err(maquette::Error::from)?;
    output::print(&format!("{}\n", submission.workers))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(unexpected)
}

fn unexpected(error: Error) -> Failure {
    Failure::new(Exit::Unexpected, error)
}

fn note(run: &Run, count: u32, submission: &maquette::Submission, events: &RunEvents) {
    let workers = format!("{run}: {count} workers as job {}", submission.workers);
    events.note(match &submission.report {
        Some(report) => format!("{workers}, a report after them as job {report}"),
        None => format!("{workers}; the last one reports"),
    });
    events.note(format!("maquette status {run} shows how far they are"));
}
