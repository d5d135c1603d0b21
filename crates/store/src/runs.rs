//! The runs folder: which runs it holds, which cells are finished.

use crate::{Run, Stamp, StoreError, Timings, cells, fingerprints, names, plan_file, timings};
use maquette_core::{CellId, Digest};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The runs folder.
#[derive(Debug, Clone)]
pub struct Runs {
    root: PathBuf,
}

impl Runs {
    /// The runs folder at that path. It need not be there yet: the first run makes it.
    pub fn open(root: &Path) -> Result<Runs, StoreError> {
        match std::fs::metadata(root) {
            Ok(found) if !found.is_dir() => {
                Err(StoreError::damaged(root, "is no folder; allowed: a folder for runs"))
            }
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("open", root)(error)),
            _ => Ok(Runs { root: root.to_owned() }),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every run, by name and number.
    pub fn list(&self) -> Result<Vec<Run>, StoreError> {
        let mut runs = Vec::new();
        for name in folders(&self.root)? {
            if !name.starts_with('.') {
                runs.extend(self.of_name(&name)?);
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// The newest run of that experiment; `None` before the first.
    pub fn latest(&self, name: &str) -> Result<Option<Run>, StoreError> {
        Ok(self.of_name(&names::run_name(name))?.into_iter().max())
    }

    /// Whether some run has finished that cell. Only looks whether the file is there: quick enough to ask of every
    /// cell of a large plan.
    pub fn has_cell(&self, id: &CellId) -> bool {
        cells::path(&self.root, id).is_file()
    }

    /// How long things took here so far; nothing before the first run.
    pub fn timings(&self) -> Timings {
        timings::read(&self.root)
    }

    /// The fingerprint of a model whose files look like that, if it was made before.
    pub fn fingerprint(&self, stamp: &Stamp) -> Option<Digest> {
        fingerprints::read(&self.root, stamp)
    }

    /// Remembers a fingerprint. The files must have looked the same before and after it was made.
    pub fn remember_fingerprint(&self, stamp: &Stamp, fingerprint: Digest) -> Result<(), StoreError> {
        fingerprints::add(&self.root, stamp, fingerprint)
    }

    /// The runs of one name, in no order.
    pub(crate) fn of_name(&self, name: &str) -> Result<Vec<Run>, StoreError> {
        let folder = self.root.join(name);
        let mut runs = Vec::new();
        for entry in folders(&folder)? {
            let dir = folder.join(&entry);
            // `01` and `+1` parse too, but are not names that we give.
            match entry.parse::<usize>() {
                Ok(number) if number.to_string() == entry && plan_file::is_run(&dir) => {
                    runs.push(Run { name: name.to_owned(), number, dir });
                }
                _ => {}
            }
        }
        Ok(runs)
    }
}

/// The names of the folders in a folder; none if it is not there.
fn folders(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(vec![]);
        }
        Err(error) => return Err(StoreError::io("read", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("read", folder))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}
