//! Renames all runs of an experiment, or a single run.
//!
//! In this order: the former names are noted, the folder is moved in one operation, the plans get their new name, `latest`
//! is pointed at the newest run. The same command finishes a renaming that was interrupted: a former name leads to the
//! moved run, whose plan is then corrected.
//!
//! Logs, pictures and hard links stay as they are. What refers to a run by a former name, such as the column `reused` and
//! `derived_from`, is not rewritten: see `former_names.rs`.

use crate::former_names::FormerNames;
use crate::start::{highest_number, point_latest};
use crate::{Run, Runs, StoreError, lock, names, plan_file};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

impl Runs {
    /// Gives an experiment's runs another name, or a single run. Returns them under their new names.
    ///
    /// `query` finds runs as [`Runs::find`] does. Without a number it means all runs of the experiment, which keep their
    /// numbers; with one it means that run, which becomes the newest of its new name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Name`] for a name that is not a plain one; [`StoreError::NameTaken`] if the name has runs, or an
    /// other run had that name and number; [`StoreError::Locked`] if a run is in use.
    pub fn rename(&self, query: &str, name: &str) -> Result<Vec<Run>, StoreError> {
        if names::run_name(name) != name {
            return Err(StoreError::Name { name: name.to_owned(), folder: self.root().to_owned() });
        }
        self.find(query)?;
        let _alone = lock::wait(&self.root().join(lock::OF_RUNS))?;
        let found = self.own(query)?;
        let single = query.contains('@') || plan_file::is_run(Path::new(query));
        let renamed = match found.name == name {
            // Already moved, perhaps by a call that was interrupted.
            true if single => vec![found],
            true => self.of_name(name)?,
            false if single => vec![self.rename_run(&found, name)?],
            false => self.rename_all(&found.name, name)?,
        };
        renamed.iter().try_for_each(|run| plan_file::set_name(run.dir(), name))?;
        self.point_latest(name)?;
        let mut renamed = renamed;
        renamed.sort();
        Ok(renamed)
    }

    /// Finds a run that is in the runs folder under its name and number.
    pub(crate) fn own(&self, query: &str) -> Result<Run, StoreError> {
        let found = self.find(query)?;
        let own = self.of_name(&found.name)?.into_iter().find(|run| run.number == found.number);
        let place = found.dir.canonicalize();
        match own.filter(|own| place.is_ok_and(|place| own.dir.canonicalize().is_ok_and(|own| own == place)))
        {
            Some(own) => Ok(own),
            None => Err(StoreError::damaged(&found.dir, "is not in the runs folder")),
        }
    }

    fn rename_all(&self, from: &str, to: &str) -> Result<Vec<Run>, StoreError> {
        let runs = self.of_name(from)?;
        let (old, new) = (self.root().join(from), self.root().join(to));
        if is_occupied(&new)? {
            let by = format!("`{}` exists", new.display());
            return Err(StoreError::NameTaken { name: to.to_owned(), by });
        }
        let mut names = FormerNames::read(self.root())?;
        for run in &runs {
            let (former, now) = (run.to_string(), format!("{to}@{}", run.number));
            check_former(&names, &former, &now)?;
            names.add(&former, Some(&now));
        }
        let locks = lock_all(&runs)?;
        names.write(self.root())?;
        remove_empty(&new)?;
        // Open files would keep a folder from being moved on some systems; runs cannot be started meanwhile.
        drop(locks);
        std::fs::rename(&old, &new).map_err(StoreError::io("write", &new))?;
        self.of_name(to)
    }

    fn rename_run(&self, run: &Run, to: &str) -> Result<Run, StoreError> {
        let (folder, former) = (self.root().join(to), run.to_string());
        let mut names = FormerNames::read(self.root())?;
        let number = 1 + highest_number(self, to)?;
        drop(lock_all(std::slice::from_ref(run))?);
        names.add(&former, Some(&format!("{to}@{number}")));
        names.write(self.root())?;
        std::fs::create_dir_all(&folder).map_err(StoreError::io("create", &folder))?;
        let dir = folder.join(number.to_string());
        std::fs::rename(&run.dir, &dir).map_err(StoreError::io("write", &dir))?;
        self.point_latest(&run.name)?;
        Ok(Run { name: to.to_owned(), number, dir })
    }

    /// Points `latest` at the newest run of a name; removes it if there is none.
    pub(crate) fn point_latest(&self, name: &str) -> Result<(), StoreError> {
        let folder = self.root().join(name);
        match self.of_name(name)?.into_iter().max() {
            Some(run) => point_latest(&folder, run.number),
            None => match std::fs::remove_file(folder.join("latest")) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(StoreError::io("remove", &folder.join("latest"))(error))
                }
                _ => Ok(()),
            },
        }
    }
}

/// The locks of runs that are not in use.
pub(crate) fn lock_all(runs: &[Run]) -> Result<Vec<File>, StoreError> {
    runs.iter().map(|run| lock::of_writer(run.dir(), ".lock", false)).collect()
}

/// Refuses a name that logs and plans may use for another run.
fn check_former(names: &FormerNames, former: &str, now: &str) -> Result<(), StoreError> {
    let taken = |by: String| Err(StoreError::NameTaken { name: now.to_owned(), by });
    match names.present(now) {
        Some(Some(run)) if run != former => taken(format!("it was the name of `{run}`")),
        Some(None) => taken("it was the name of a run that was removed".to_owned()),
        _ => Ok(()),
    }
}

/// Whether a folder has anything but the files that remain when its runs are gone.
fn is_occupied(folder: &Path) -> Result<bool, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(StoreError::io("read", folder))?,
    };
    for entry in entries {
        let name = entry.map_err(StoreError::io("read", folder))?.file_name();
        if !REMAINS.iter().any(|remains| name == *remains) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The files that remain in an experiment's folder when its runs are gone.
pub(crate) const REMAINS: [&str; 2] = [".lock", "latest"];

/// Removes a folder with nothing but [`REMAINS`].
pub(crate) fn remove_empty(folder: &Path) -> Result<(), StoreError> {
    if !folder.is_dir() {
        return Ok(());
    }
    for file in REMAINS {
        let _ = std::fs::remove_file(folder.join(file));
    }
    std::fs::remove_dir(folder).map_err(StoreError::io("remove", folder))
}
