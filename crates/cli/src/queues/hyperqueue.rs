//! HyperQueue: a job with a task for each worker.
//!
//! There is no job that reports: the last worker draws sheets and page, and HyperQueue's jobs cannot wait for each other.

use super::jobs::{self, Jobs, printed, shell};
use crate::exit::Failure;
use maquette::Submission;
use std::path::Path;
use std::process::Command;

/// The name of this queue in a run.
pub const NAME: &str = "hyperqueue";

/// The script of a worker.
pub fn workers_script(jobs: &Jobs) -> String {
    let Jobs { run, workers, .. } = jobs;
    format!(
        "#!/bin/bash\n\
         # A worker of {run}; any number of them share it: hq submit --array 1-{workers} -- bash workers.sh\n\
         # They can be submitted again: finished cells are kept.\n\
         exec {}\n",
        shell(&jobs.worker())
    )
}

/// Submits the workers with options of the user. Of a run in a bucket, the nodes do not see the script, but get its command; the keys
/// are those in the environment of HyperQueue's workers.
pub fn submit(jobs: &Jobs, script: &Path, options: &[String]) -> Result<Submission, Failure> {
    let mut command = Command::new("hq");
    command.args(["--output-mode", "quiet", "submit", "--name", &jobs.run]);
    command.args(["--array", &format!("1-{}", jobs.workers)]);
    if let Some(folder) = &jobs.folder {
        // Placeholders are `%{…}`; a single `%` stays what it is.
        let output = |end: &str| format!("{}/%{{JOB_ID}}_%{{TASK_ID}}.{end}", folder.to_string_lossy());
        command.args(["--stdout", &output("out"), "--stderr", &output("err")]);
    }
    command.args(options).arg("--");
    match jobs.folder {
        Some(_) => command.arg("bash").arg(script),
        None => command.args(jobs.worker()),
    };
    Ok(Submission { queue: NAME.to_owned(), workers: jobs::submit(&mut command, script)?, report: None })
}

/// What HyperQueue says about a submitted job.
pub fn state(submission: &Submission) -> Option<String> {
    printed(Command::new("hq").args(["job", "info", &submission.workers]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_can_be_read() {
        insta::assert_snapshot!(workers_script(&Jobs::example()), @r##"
        #!/bin/bash
        # A worker of mucha@1; any number of them share it: hq submit --array 1-8 -- bash workers.sh
        # They can be submitted again: finished cells are kept.
        exec /usr/bin/maquette run /data/mucha.toml --runs '/data/100% runs' --worker --progress plain --set 'prompt=Ann'\''s "cat"'
        "##);
    }
}
