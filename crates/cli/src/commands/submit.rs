//! `maquette submit`: hands a run to a queue.

use super::{experiment, rendering_workspace};
use crate::args::{Common, SubmitArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::queues::kubernetes::{self, Pods};
use crate::queues::{Jobs, hyperqueue, slurm};
use crate::run_events::RunEvents;
use crate::{args, output};
use maquette::{PreparedRun, Run, Stop};

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
    let write = |name: &str, text: &str| run.write_script(name, text).map_err(maquette::Error::from);
    let submission = if let (Some(image), Some(claim)) = (&args.image, &args.claim) {
        let mount = std::path::absolute(&args.mount).map_err(unexpected)?;
        let gpu = args.experiment.device.starts_with("cuda");
        let pods = Pods { image: image.clone(), claim: claim.clone(), mount, gpu };
        let manifest = write("job.yaml", &kubernetes::manifest(&jobs, &pods)?)?;
        events.note(format!("{run}: the manifest of {} workers, which submits them:", args.workers));
        return output::print(&format!("{}\n", kubernetes::apply(&manifest)));
    } else if args.hyperqueue {
        hyperqueue::submit(&jobs, &write("workers.sh", &hyperqueue::workers_script(&jobs))?, &args.options)?
    } else {
        let workers = write("workers.sh", &slurm::workers_script(&jobs))?;
        slurm::submit(&workers, &write("report.sh", &slurm::report_script(&jobs))?, &args.options)?
    };
    note(&run, args.workers, &submission, &events);
    run.write_submission(&submission).map_err(maquette::Error::from)?;
    output::print(&format!("{}\n", submission.workers))
}

fn note(run: &Run, count: u32, submission: &maquette::Submission, events: &RunEvents) {
    let workers = format!("{run}: {count} workers as job {}", submission.workers);
    events.note(match &submission.report {
        Some(report) => format!("{workers}, a report after them as job {report}"),
        None => format!("{workers}; the last one reports"),
    });
    events.note(format!("maquette status {run} shows how far they are"));
}
