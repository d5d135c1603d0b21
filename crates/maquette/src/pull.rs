//! Copies a run from a bucket into a folder.

use crate::Workspace;
use crate::error::Error;
use crate::sheets::Report;
use maquette_store::Run;
use std::path::Path;

impl Workspace {
    /// Copies a run of this workspace, which is in a bucket, into the folder for runs `folder`, and draws its sheets and page there.
    /// `run` is a name such as `mucha@2`. `warn` is as for [`Workspace::report`].
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found, or cannot be read or written; if there is another run of that name in the folder.
    pub fn pull(&self, run: &str, folder: &Path, warn: &mut dyn FnMut(&str)) -> Result<(Run, Report), Error> {
        let run = self.runs.find(run)?;
        let to = Workspace::open(folder)?.with_environment(self.environment.clone());
        let pulled = self.runs.pull(&run, to.runs())?;
        let report = to.report(&pulled.to_string(), warn)?;
        Ok((pulled, report))
    }
}
