//! Slurm: scripts for workers and the report after them, submitting them, asking for their state.

use crate::exit::{Exit, Failure};
use maquette::Submission;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of this queue in a run.
pub const NAME: &str = "slurm";

/// How many seconds before the end of its time or its preemption a worker is told to finish its cells.
const GRACE: u32 = 90;

/// The jobs of a run. Paths are absolute.
pub struct Jobs {
    /// The run, such as `mucha@1`.
    pub run: String,
    /// The folder for what the jobs print.
    pub folder: PathBuf,
    /// The binary.
    pub program: PathBuf,
    /// The runs folder.
    pub runs: PathBuf,
    /// The experiment.
    pub file: PathBuf,
    /// How many workers there are.
    pub workers: u32,
    /// The further arguments of each.
    pub arguments: Vec<String>,
}

impl Jobs {
    /// The script of the array of workers.
    pub fn workers_script(&self) -> String {
        let Jobs { run, workers, .. } = self;
        let mut command = self.command("run", &self.file.to_string_lossy());
        command.extend(["--worker", "--progress", "plain"].map(str::to_owned));
        command.extend(self.arguments.iter().cloned());
        format!(
            "#!/bin/bash\n\
             # Workers that share {run}. They can be submitted again: finished cells are kept.\n\
             #SBATCH --job-name={run}\n\
             #SBATCH --array=1-{workers}\n\
             #SBATCH --output={}\n\
             #SBATCH --open-mode=append\n\
             # A task that is preempted or loses its node goes on elsewhere.\n\
             #SBATCH --requeue\n\
             # {GRACE} s before the end: finish the cells in flight, give the others back.\n\
             #SBATCH --signal=B:TERM@{GRACE}\n\
             exec {}\n",
            self.output("%A_%a.out"),
            shell(&command)
        )
    }

    /// The script of the report.
    pub fn report_script(&self) -> String {
        let Jobs { run, .. } = self;
        format!(
            "#!/bin/bash\n\
             # Draws the sheets and writes the page of {run} when its workers have ended, whatever happened to them.\n\
             #SBATCH --job-name={run}-report\n\
             #SBATCH --output={}\n\
             #SBATCH --open-mode=append\n\
             exec {}\n",
            self.output("report.out"),
            shell(&self.command("report", run))
        )
    }

    fn command(&self, name: &str, of: &str) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![text(&self.program), name.to_owned(), of.to_owned(), "--runs".to_owned(), text(&self.runs)]
    }

    /// A file for what a job prints; Slurm replaces `%A` and `%a`, and reads `%%` as `%`.
    fn output(&self, name: &str) -> String {
        let folder = self.folder.to_string_lossy().replace('%', "%%");
        format!("\"{folder}/{name}\"")
    }
}

/// Submits both jobs with options of the user; returns their numbers.
pub fn submit(workers: &Path, report: &Path, options: &[String]) -> Result<(String, String), Failure> {
    let array = sbatch(workers, options, &[])?;
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
    Ok((array, report))
}

fn sbatch(script: &Path, options: &[String], more: &[String]) -> Result<String, Failure> {
    let output = Command::new("sbatch").arg("--parsable").args(options).args(more).arg(script).output();
    let output = output.map_err(|error| {
        let hint = format!("The scripts are in `{}`.", script.with_file_name("").display());
        let error = std::io::Error::new(error.kind(), format!("cannot run `sbatch`: {error}"));
        Failure::with_hint(Exit::NotFound, &error, Some(hint))
    })?;
    let printed = String::from_utf8_lossy(&output.stdout);
    // `--parsable` prints the number, and the cluster if there are several.
    match printed.trim().split(';').next().filter(|number| output.status.success() && !number.is_empty()) {
        Some(number) => Ok(number.to_owned()),
        None => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let error = std::io::Error::other(format!("`sbatch` refused `{}`: {said}", script.display()));
            Err(Failure::new(Exit::Unexpected, error))
        }
    }
}

/// What the queue says about submitted jobs, a line for each; `None` without Slurm's commands, or if it knows the jobs no more.
pub fn state(submission: &Submission) -> Option<String> {
    if submission.queue != NAME {
        return None;
    }
    let jobs = format!("{},{}", submission.workers, submission.report);
    // Tasks that wait are one line.
    let format = "%i %T %M %r";
    let output =
        Command::new("squeue").args(["--noheader", "--format", format, "--jobs", &jobs]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A command as a shell reads it.
fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=@:,+".contains(c);
    let quote = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_be_read() {
        let jobs = Jobs {
            run: "mucha@1".to_owned(),
            folder: "/data/100% runs/mucha/1/submit".into(),
            program: "/usr/bin/maquette".into(),
            runs: "/data/100% runs".into(),
            file: "/home/ann/mucha.toml".into(),
            workers: 8,
            arguments: ["--set", "prompt=Ann's cat"].map(str::to_owned).to_vec(),
        };
        insta::assert_snapshot!(format!("{}\n{}", jobs.workers_script(), jobs.report_script()), @r##"
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
        exec /usr/bin/maquette run /home/ann/mucha.toml --runs '/data/100% runs' --worker --progress plain --set 'prompt=Ann'\''s cat'

        #!/bin/bash
        # Draws the sheets and writes the page of mucha@1 when its workers have ended, whatever happened to them.
        #SBATCH --job-name=mucha@1-report
        #SBATCH --output="/data/100%% runs/mucha/1/submit/report.out"
        #SBATCH --open-mode=append
        exec /usr/bin/maquette report mucha@1 --runs '/data/100% runs'
        "##);
    }
}
