//! Removes what no run uses any more, or a whole run.

use crate::former_names::FormerNames;
use crate::rename::lock_all;
use crate::run_parts::{REMOVING, parts};
use crate::unused::{Unused, UnusedKind, each_file};
use crate::{Run, Runs, StoreError, lock, write_atomic};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Runs {
    /// Removes files that [`Runs::unused`] has listed, except those that a run uses by now. Returns what was removed.
    ///
    /// No run is started meanwhile. If it is interrupted, what is left is listed again.
    pub fn remove_unused(&self, listed: &Unused, now: u64) -> Result<Unused, StoreError> {
        if !self.root().is_dir() {
            return Ok(Unused::default());
        }
        let _alone = lock::wait(&self.root().join(lock::OF_RUNS))?;
        let unused = self.unused(now)?.among(listed);
        unused.files.iter().try_for_each(|file| remove_file(&file.path))?;
        for file in unused.files.iter().filter(|file| file.kind == UnusedKind::Temporary) {
            // The folder of a run that was never started, or whose removal was interrupted.
            for folder in file.path.ancestors().skip(1).take_while(|folder| *folder != self.root()) {
                if std::fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        Ok(unused)
    }

    /// Removes a run, and the cells that no other run uses. Its name and number are not given to another run.
    ///
    /// Files in its folder that are not part of a run are kept. If it is interrupted, the same call finishes it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if the run is in use; [`StoreError::HasPicks`] if cells of it are picked, unless `with_picks`.
    pub fn remove_run(&self, run: &Run, with_picks: bool, now: u64) -> Result<Unused, StoreError> {
        self.check_removable(run, with_picks)?;
        let _alone = lock::wait(&self.root().join(lock::OF_RUNS))?;
        let run = self.own(&run.to_string())?;
        let locks = lock_all(std::slice::from_ref(&run))?;
        let unused = self.unused_without(&run, now)?;
        let mut names = FormerNames::read(self.root())?;
        names.add(&run.to_string(), None);
        names.write(self.root())?;
        write_atomic(&run.dir().join(REMOVING), b"")?;
        // Cells first: their links in the run are then their last names. The plan last: until then it is a run.
        let (cells, mut parts): (Vec<_>, Vec<_>) =
            unused.files.iter().map(|file| &file.path).partition(|path| !path.starts_with(run.dir()));
        parts.sort_by_key(|path| path.ends_with("plan.json"));
        cells.into_iter().chain(parts).try_for_each(|path| remove_file(path))?;
        remove_file(&run.dir().join(REMOVING))?;
        drop(locks);
        remove_folders(run.dir())?;
        self.point_latest(run.name())?;
        Ok(unused)
    }

    /// Whether a run may be removed.
    pub fn check_removable(&self, run: &Run, with_picks: bool) -> Result<(), StoreError> {
        let picks = run.count_picks()?;
        match picks > 0 && !with_picks {
            true => Err(StoreError::HasPicks { run: run.to_string(), picks }),
            false => lock_all(std::slice::from_ref(run)).map(drop),
        }
    }
}

impl Unused {
    /// What is in both lists.
    fn among(mut self, listed: &Unused) -> Unused {
        let paths: HashSet<&PathBuf> = listed.files.iter().map(|file| &file.path).collect();
        self.files.retain(|file| paths.contains(&file.path));
        self.settle();
        self
    }
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes the empty folders of a run, and its own folder if nothing is left in it.
fn remove_folders(run: &Path) -> Result<(), StoreError> {
    for (part, _) in parts(run)? {
        let mut occupied = false;
        each_file(&part, &mut |_| occupied = true);
        if !occupied && part.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            std::fs::remove_dir_all(&part).map_err(StoreError::io("remove", &part))?;
        }
    }
    match std::fs::remove_dir(run) {
        Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
            Err(StoreError::io("remove", run)(error))
        }
        _ => Ok(()),
    }
}
