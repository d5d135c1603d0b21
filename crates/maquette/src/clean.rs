//! Housekeeping in the runs folder: what no run uses any more, removing and renaming runs.

use crate::Workspace;
use crate::clock::now;
use crate::error::Error;
use maquette_store::{Run, Unused};

impl Workspace {
    /// What no run uses any more, and what removing it frees. Picked cells, files of runs that are being rendered, and
    /// whatever is unknown are left out.
    pub fn unused(&self) -> Result<Unused, Error> {
        Ok(self.runs.unused(now())?)
    }

    /// Removes files that [`Workspace::unused`] has listed, except those that a run uses by now. Returns what was removed.
    pub fn remove_unused(&self, listed: &Unused) -> Result<Unused, Error> {
        Ok(self.runs.remove_unused(listed, now())?)
    }

    /// A run, and what removing it with the cells that no other run uses frees.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found, is in use, or has picks without `with_picks`.
    pub fn unused_without(&self, run: &str, with_picks: bool) -> Result<(Run, Unused), Error> {
        let run = self.runs.find(run)?;
        self.runs.check_removable(&run, with_picks)?;
        let unused = self.runs.unused_without(&run, now())?;
        Ok((run, unused))
    }

    /// Removes a run and the cells that no other run uses. Returns what was removed.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::unused_without`]; [`Error::Store`] if something cannot be removed.
    pub fn remove_run(&self, run: &Run, with_picks: bool) -> Result<Unused, Error> {
        Ok(self.runs.remove_run(run, with_picks, now())?)
    }

    /// Gives an experiment's runs another name, or with a number, as in `mucha@2`, that run. Returns them under their new
    /// names. Logs and plans of other runs may name the former one: it still finds the run.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if there is no such run, it is in use, or the name is taken.
    pub fn rename(&self, run: &str, name: &str) -> Result<Vec<Run>, Error> {
        Ok(self.runs.rename(run, name)?)
    }
}
