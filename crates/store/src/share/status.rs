//! Who holds what in the session of a run.

use super::objects::{FolderObjects, sessions};
use super::rows::numbered;
use crate::{Run, StoreError};
use maquette_files::limits;
use maquette_share::{ClaimState, Objects, claim_states, rows_prefix};
use std::collections::BTreeMap;

/// A session of workers in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sharing {
    /// What each worker holds and has ended, by its name.
    pub workers: BTreeMap<String, WorkerCells>,
    /// Whether the last cell has ended, and only sheets and page are left.
    pub finishing: bool,
}

/// What one worker has claimed and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerCells {
    /// Groups of cells that it holds: each is a chunk of the plan.
    pub held: usize,
    /// Cells with a row in the groups that it holds or has ended; the first ones may be another worker's.
    pub recorded: usize,
}

impl Run {
    /// The session of workers that is open in this run; `None` if there is none. Claims of workers that died count as held
    /// until another worker takes them over.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if a file cannot be read.
    pub fn sharing(&self) -> Result<Option<Sharing>, StoreError> {
        let Some(newest) = sessions(self.dir())?.pop() else { return Ok(None) };
        let objects = FolderObjects::of(self.dir(), newest);
        if objects.is_over() {
            return Ok(None);
        }
        let mut sharing = Sharing { finishing: objects.path("finish").exists(), ..Sharing::default() };
        for (block, folder) in numbered(&objects.path("claims"))? {
            let entries = std::fs::read_dir(&folder).map_err(StoreError::io("read", &folder))?;
            let names: Vec<String> =
                entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
            for (chunk, key, state) in claim_states(block, &names) {
                // A worker writes its name into its claims.
                let worker = maquette_files::read_text(&objects.path(&key), limits::LINE).unwrap_or_default();
                let cells = sharing.workers.entry(worker).or_default();
                cells.held += usize::from(state == ClaimState::Held);
                cells.recorded += objects.list(&rows_prefix(chunk))?.len();
            }
        }
        Ok(Some(sharing))
    }
}
