//! One run, for reading and for adding contact sheets.
//!
//! Cells, log and plan are written only by `writer.rs`, under a lock. Sheets need no lock: they can be drawn again at any
//! time, and each is replaced atomically.

use crate::atomic::write_unforced;
use crate::log::{Log, LogRow, log_files};
use crate::logs::read_logs;
use crate::{StoreError, names, plan_file, write_atomic};
use maquette_core::{Digest, Mark, Plan, shortened};
use maquette_files::{inside, limits};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The file of the effects in a run.
const EFFECTS: &str = "effects.json";

/// One run: a numbered folder with a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub(crate) name: String,
    pub(crate) number: usize,
    pub(crate) dir: PathBuf,
}

impl Run {
    /// The experiment's name, as in the folder's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the run, from 1; 0 for a run whose folder was renamed.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a picture that the log names.
    ///
    /// # Errors
    ///
    /// [`StoreError::Outside`] if it leads out of the run's folder, also by a link.
    pub fn picture(&self, image: &str) -> Result<PathBuf, StoreError> {
        inside(&self.dir, image)
            .map_err(|_| StoreError::Outside { folder: self.dir.clone(), named: shortened(image) })
    }

    /// Its plan. The plan's pictures are the copies in the run's folder.
    pub fn plan(&self) -> Result<Plan, StoreError> {
        plan_file::read(&self.dir).map(|(_, plan)| plan)
    }

    /// The digest of the experiment before seeds were drawn, given when the run was started.
    pub fn source(&self) -> Result<Digest, StoreError> {
        plan_file::read(&self.dir).map(|(source, _)| source)
    }

    /// The resolved experiment, overrides included.
    pub fn experiment(&self) -> Result<String, StoreError> {
        let path = self.dir.join("experiment.toml");
        maquette_files::read_text(&path, limits::RUN_FILE).map_err(StoreError::io("read", &path))
    }

    /// Every cell that ended, once, in the order of the log; the logs of all shards together. Damaged rows are left out;
    /// [`Run::read_log`] returns them.
    pub fn log(&self) -> Result<Vec<LogRow>, StoreError> {
        self.read_log().map(|log| log.rows)
    }

    /// The logs of all shards together, with their damaged rows.
    pub fn read_log(&self) -> Result<Log, StoreError> {
        read_logs(&self.dir)
    }

    /// When it was started and when its log last changed, in seconds since 1970, by the times of its files; `None` where the
    /// file system has no times.
    pub fn times(&self) -> (Option<u64>, Option<u64>) {
        let time = |path: &Path| {
            let changed = path.metadata().ok()?.modified().ok()?;
            Some(changed.duration_since(UNIX_EPOCH).ok()?.as_secs())
        };
        let logs = log_files(&self.dir, "log").unwrap_or_default();
        // The plan is written once, but renaming a run writes it again.
        let started =
            ["experiment.toml", "plan.json"].iter().filter_map(|file| time(&self.dir.join(file))).min();
        (started, logs.iter().filter_map(|path| time(path)).max())
    }

    /// The number of picked cells, also of those that are not in the run any more.
    pub fn count_picks(&self) -> Result<usize, StoreError> {
        let picks = self.picks()?;
        Ok(picks
            .cells
            .values()
            .chain(picks.gone.values())
            .filter(|pick| pick.mark == Some(Mark::Pick))
            .count())
    }

    /// Writes a contact sheet under `sheets/` and returns its path.
    pub fn write_sheet(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let path = names::plain(&self.dir.join("sheets"), name)?;
        write_unforced(&path, bytes)?;
        Ok(path)
    }

    /// Writes a plot under `plots/` and returns its path.
    pub fn write_plot(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let path = names::plain(&self.dir.join("plots"), name)?;
        write_atomic(&path, bytes)?;
        Ok(path)
    }

    /// Writes `effects.json`, which says how much each axis changes the pictures, and returns its path.
    pub fn write_effects(&self, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.dir.join(EFFECTS);
        write_atomic(&path, bytes)?;
        Ok(path)
    }

    /// Reads `effects.json`; `None` if there is none.
    pub fn read_effects(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.dir.join(EFFECTS);
        match maquette_files::read(&path, limits::RUN_FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some).map_err(StoreError::io("read", &path)),
        }
    }
}

/// The run's name and number, such as `mucha@1`; for a run whose folder was renamed, the name alone.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => f.write_str(&self.name),
            number => write!(f, "{}@{number}", self.name),
        }
    }
}
