//! Slurm: an array of workers, and a job after them that reports.

use super::jobs::{self, Jobs, printed, shell};
use crate::exit::Failure;
use maquette::Submission;
use std::path::Path;
use std::process::Command;

/// The name of this queue in a run.
pub const NAME: &str = "slurm";

/// How many seconds before the end of its time or its preemption a worker is told to finish its cells.
const GRACE: u32 = 90;

/// The script of the array of workers.
pub fn workers_script(jobs: &Jobs) -> String {
    let Jobs { run, workers, .. } = jobs;
    let keys = match jobs.folder {
        Some(_) => "",
        None => {
            "# The keys of the bucket are variables of the environment, AWS_…, which sbatch hands on (--export=ALL).\n"
        }
    };
    format!(
        "#!/bin/bash\n\
         # Workers that share {run}. They can be submitted again: finished cells are kept.\n\
         {keys}\
         #SBATCH --job-name={run}\n\
         #SBATCH --array=1-{workers}\n\
         {}\
         # A task that is preempted or loses its node goes on elsewhere.\n\
         #SBATCH --requeue\n\
         # {GRACE} s before the end: finish the cells in flight, give the others back.\n\
         #SBATCH --signal=B:TERM@{GRACE}\n\
         exec {}\n",
        output(jobs, "%A_%a.out"),
        shell(&jobs.worker())
    )
}

/// The script of the report.
pub fn report_script(jobs: &Jobs) -> String {
    let run = &jobs.run;
    format!(
        "#!/bin/bash\n\
         # Draws the sheets and writes the page of {run} when its workers have ended, whatever happened to them.\n\
         #SBATCH --job-name={run}-report\n\
         {}\
         exec {}\n",
        output(jobs, "report.out"),
        shell(&jobs.report())
    )
}

/// The lines that say where a job prints; none for Slurm's own place, the folder that it is submitted from.
fn output(jobs: &Jobs, name: &str) -> String {
    let lines = |path| format!("#SBATCH --output=\"{path}\"\n#SBATCH --open-mode=append\n");
    jobs.output(name).map(lines).unwrap_or_default()
}

/// Submits the workers and, if there is a script for it, the report after them, with options of the user.
pub fn submit(workers: &Path, report: Option<&Path>, options: &[String]) -> Result<Submission, Failure> {
    let array = sbatch(workers, options, &[])?;
    let Some(report) = report else {
        return Ok(Submission { queue: NAME.to_owned(), workers: array, report: None });
    };
    // Whatever became of the workers, there is something to report.
    let after = format!("--dependency=afterany:{array}");
    // The options are meant for workers; of an array, only its end matters here.
    let mut others = options.iter();
    let mut kept = Vec::new();
    while let Some(option) = others.next() {
        match option.as_str() {
            "--array" | "-a" => drop(others.next()),
            array if array.starts_with("--array=") || array.starts_with("-a") => {}
            other => kept.push(other.to_owned()),
        }
    }
    let report = sbatch(report, &kept, &[after])?;
    Ok(Submission { queue: NAME.to_owned(), workers: array, report: Some(report) })
}

fn sbatch(script: &Path, options: &[String], more: &[String]) -> Result<String, Failure> {
    let mut command = Command::new("sbatch");
    command.arg("--parsable").args(options).args(more).arg(script);
    let printed = jobs::submit(&mut command, script)?;
    // The number, and the cluster if there are several.
    Ok(printed.split(';').next().unwrap_or_default().to_owned())
}

/// What Slurm says about submitted jobs, a line for each.
pub fn state(submission: &Submission) -> Option<String> {
    let jobs = [Some(&submission.workers), submission.report.as_ref()];
    let jobs = jobs.into_iter().flatten().cloned().collect::<Vec<_>>().join(",");
    // Tasks that wait are one line.
    printed(Command::new("squeue").args(["--noheader", "--format", "%i %T %M %r", "--jobs", &jobs]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_be_read() {
        let jobs = Jobs::example();
        insta::assert_snapshot!(format!("{}\n{}", workers_script(&jobs), report_script(&jobs)), @r##"
        #!/bin/bash
        # Workers that share mucha@1. They can be submitted again: finished cells are kept.
        #SBATCH --job-name=mucha@1
        #SBATCH --array=1-8
        #SBATCH --output="/data/100%% runs/mucha/1/submit/%A_%a.out"
        #SBATCH --open-mode=append
        # A task that is preempted or loses its node goes on elsewhere.
        #SBATCH --requeue
        # 90 s before the end: finish the cells in flight, give the others back.
        #SBATCH --signal=B:TERM@90
        exec /usr/bin/maquette run /data/mucha.toml --runs '/data/100% runs' --worker --progress plain --set 'prompt=Ann'\''s "cat"'

        #!/bin/bash
        # Draws the sheets and writes the page of mucha@1 when its workers have ended, whatever happened to them.
        #SBATCH --job-name=mucha@1-report
        #SBATCH --output="/data/100%% runs/mucha/1/submit/report.out"
        #SBATCH --open-mode=append
        exec /usr/bin/maquette report mucha@1 --runs '/data/100% runs'
        "##);
    }

    #[test]
    fn a_script_for_a_bucket_has_no_keys() {
        insta::assert_snapshot!(workers_script(&Jobs::example_in_bucket()), @r##"
        #!/bin/bash
        # Workers that share mucha@1. They can be submitted again: finished cells are kept.
        # The keys of the bucket are variables of the environment, AWS_…, which sbatch hands on (--export=ALL).
        #SBATCH --job-name=mucha@1
        #SBATCH --array=1-8
        # A task that is preempted or loses its node goes on elsewhere.
        #SBATCH --requeue
        # 90 s before the end: finish the cells in flight, give the others back.
        #SBATCH --signal=B:TERM@90
        exec /usr/bin/maquette run /data/mucha.toml --runs s3://bucket/runs --worker --progress plain
        "##);
    }
}
