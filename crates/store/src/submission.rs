//! What was handed to a queue to render a run: scripts, and the numbers of the jobs.

use crate::{Run, StoreError, names, write_atomic};
use maquette_files::limits;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::PathBuf;

/// The folder in a run.
const FOLDER: &str = "submit";

const JOBS: &str = "jobs.json";

/// Jobs that render a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The queue: `slurm` or `hyperqueue`.
    pub queue: String,
    /// The job of the workers, by the queue's name for it.
    pub workers: String,
    /// The job that reports when the workers have ended, where there is one.
    #[serde(default)]
    pub report: Option<String>,
}

impl Run {
    /// The folder for scripts and what the jobs print, whether it exists or not.
    pub fn submit_folder(&self) -> PathBuf {
        self.dir().join(FOLDER)
    }

    /// Writes a script into that folder and returns its path.
    pub fn write_script(&self, name: &str, text: &str) -> Result<PathBuf, StoreError> {
        let path = names::plain(&self.submit_folder(), name)?;
        write_atomic(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Remembers what was submitted last.
    pub fn write_submission(&self, submission: &Submission) -> Result<(), StoreError> {
        let path = self.submit_folder().join(JOBS);
        let mut text = serde_json::to_vec_pretty(submission)
            .map_err(|error| StoreError::damaged(&path, format!("cannot be written: {error}")))?;
        text.push(b'\n');
        write_atomic(&path, &text)
    }

    /// What was submitted last; `None` if nothing was.
    pub fn submission(&self) -> Result<Option<Submission>, StoreError> {
        let path = self.submit_folder().join(JOBS);
        match maquette_files::read(&path, limits::RUN_FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => {
                let text = read.map_err(StoreError::io("read", &path))?;
                let broken = |error| StoreError::damaged(&path, format!("does not name jobs: {error}"));
                serde_json::from_slice(&text).map(Some).map_err(broken)
            }
        }
    }
}
