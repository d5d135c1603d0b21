//! The workers of a run as commands, and what the queues' own commands have in common.

use crate::exit::{Exit, Failure};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The workers of a run. Paths are absolute. There are no keys in scripts: those of a bucket come from the environment.
pub struct Jobs {
    /// The run, such as `mucha@1`.
    pub run: String,
    /// The folder for what the jobs print; `None` if the runs are in a bucket, where the queue has its own place for that.
    pub folder: Option<PathBuf>,
    /// The binary.
    pub program: PathBuf,
    /// The runs folder, or the address of a bucket.
    pub runs: PathBuf,
    /// The experiment.
    pub file: PathBuf,
    /// How many workers there are.
    pub workers: u32,
    /// The further arguments of each.
    pub arguments: Vec<String>,
}

impl Jobs {
    /// The command of a worker.
    pub fn worker(&self) -> Vec<String> {
        let mut command = self.command("run", &self.file.to_string_lossy());
        command.extend(["--worker", "--progress", "plain"].map(str::to_owned));
        command.extend(self.arguments.iter().cloned());
        command
    }

    /// The command of a report.
    pub fn report(&self) -> Vec<String> {
        self.command("report", &self.run)
    }

    fn command(&self, name: &str, of: &str) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![text(&self.program), name.to_owned(), of.to_owned(), "--runs".to_owned(), text(&self.runs)]
    }

    /// A file for what a job prints, where `%` has a meaning: two of them are one.
    pub fn output(&self, name: &str) -> Option<String> {
        let folder = self.folder.as_ref()?;
        Some(format!("{}/{name}", folder.to_string_lossy().replace('%', "%%")))
    }
}

/// Runs a command that submits `script`, and returns what it prints.
pub fn submit(command: &mut Command, script: &Path) -> Result<String, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } = command.output().map_err(|error| {
        let hint = format!("The scripts are in `{}`.", script.with_file_name("").display());
        let error = std::io::Error::new(error.kind(), format!("cannot run `{program}`: {error}"));
        Failure::with_hint(Exit::NotFound, &error, Some(hint))
    })?;
    let printed = String::from_utf8_lossy(&stdout).trim().to_owned();
    if status.success() && !printed.is_empty() {
        return Ok(printed);
    }
    let said = String::from_utf8_lossy(&stderr).trim().to_owned();
    let error = std::io::Error::other(format!("`{program}` refused `{}`: {said}", script.display()));
    Err(Failure::new(Exit::Unexpected, error))
}

/// What a command prints, if it succeeds and prints something.
pub fn printed(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A command as a shell reads it.
pub fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=@:,+".contains(c);
    let quote = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
impl Jobs {
    /// Jobs with words that have to be quoted.
    pub fn example() -> Jobs {
        Jobs {
            run: "mucha@1".to_owned(),
            folder: Some("/data/100% runs/mucha/1/submit".into()),
            program: "/usr/bin/maquette".into(),
            runs: "/data/100% runs".into(),
            file: "/data/mucha.toml".into(),
            workers: 8,
            arguments: ["--set", "prompt=Ann's \"cat\""].map(str::to_owned).to_vec(),
        }
    }

    /// The same in a bucket.
    pub fn example_in_bucket() -> Jobs {
        Jobs { folder: None, runs: "s3://bucket/runs".into(), arguments: Vec::new(), ..Jobs::example() }
    }
}
