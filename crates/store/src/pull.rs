//! Copies a run from a bucket into a folder for runs.

use crate::plan_file;
use crate::{Run, Runs, StoreError, lock, share, start};
use std::path::Path;

impl Runs {
    /// Copies a run in a bucket into another runs folder, with the pictures of the cells that are done, and returns the run there. Its
    /// log has the rows of workers that are still at work. A run that was pulled before is brought up to date: its log is replaced;
    /// picks, votes and masks stay.
    ///
    /// # Errors
    ///
    /// [`StoreError::AnotherRun`] if there is another run with that name and number; [`StoreError::Locked`] if it is in use.
    pub fn pull(&self, run: &Run, to: &Runs) -> Result<Run, StoreError> {
        self.bring(run)?;
        share::fold(run.dir())?;
        self.bring_pictures(run)?;
        let dir = to.root().join(run.name()).join(run.number().to_string());
        let pulled = Run { name: run.name().to_owned(), number: run.number(), dir };
        if plan_file::is_run(pulled.dir()) {
            let ((source, plan), (here, before)) =
                (plan_file::read(run.dir())?, plan_file::read(pulled.dir())?);
            if source != here || plan.drawn != before.drawn {
                return Err(StoreError::AnotherRun { folder: pulled.dir });
            }
        }
        let dir = pulled.dir();
        std::fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        let _lock = lock::of_writer(dir, ".lock", false)?;
        // Pictures, then the log; the plan makes it a run.
        copy(&self.root().join(".cells"), &to.root().join(".cells"))?;
        let mut entries: Vec<_> = std::fs::read_dir(run.dir()).into_iter().flatten().flatten().collect();
        entries.sort_by_key(|entry| (entry.file_name() == "plan.json", entry.file_name()));
        // (Pictures get their names below, as links.)
        let left_out = |name: &str| name.starts_with('.') || name == "images";
        for entry in entries.iter().filter(|entry| !left_out(&entry.file_name().to_string_lossy())) {
            copy(&entry.path(), &dir.join(entry.file_name()))?;
        }
        to.name_pictures(&pulled)?;
        start::point_latest(&to.root().join(run.name()), run.number())?;
        Ok(pulled)
    }
}

/// Copies a file, or a folder with everything in it; nothing if there is none.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    if from.is_dir() {
        for entry in std::fs::read_dir(from).map_err(StoreError::io("read", from))? {
            let entry = entry.map_err(StoreError::io("read", from))?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if from.exists() {
        let bytes = maquette_files::read(from, maquette_files::limits::LOG);
        crate::write_atomic(to, &bytes.map_err(StoreError::io("read", from))?)?;
    }
    Ok(())
}
