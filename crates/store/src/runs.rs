//! The runs folder: which runs it holds, which cells are finished.

use crate::mirror::Mirror;
use crate::{Run, Stamp, StoreError, Timings, cells, fingerprints, names, plan_file, timings};
use maquette_core::{CellId, Digest};
use maquette_interop::Sha256;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The runs folder.
#[derive(Debug, Clone)]
pub struct Runs {
    root: PathBuf,
    /// The bucket, if the runs are in one; `root` is a temporary folder then.
    pub(crate) mirror: Option<Arc<Mirror>>,
}

impl Runs {
    /// The runs folder at that path. It need not exist: the first run creates it.
    pub fn open(root: &Path) -> Result<Runs, StoreError> {
        // Otherwise a folder named `s3:` would be created.
        if Runs::is_address(root) {
            return Err(StoreError::IsABucket { address: root.to_string_lossy().into_owned() });
        }
        match std::fs::metadata(root) {
            Ok(found) if !found.is_dir() => {
                Err(StoreError::damaged(root, "is not a folder; allowed: a folder for runs"))
            }
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("open", root)(error)),
            _ => Ok(Runs { root: root.to_owned(), mirror: None }),
        }
    }

    /// Its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every run, by name and number.
    pub fn list(&self) -> Result<Vec<Run>, StoreError> {
        let mut runs = Vec::new();
        let names = match &self.mirror {
            Some(mirror) => mirror.bucket.folders("")?,
            None => folders(&self.root)?,
        };
        for name in names {
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

    /// Whether a run has finished that cell. Only checks that the file exists: fast enough for every cell of a large plan.
    pub fn has_cell(&self, id: &CellId) -> bool {
        cells::path(&self.root, id).is_file()
    }

    /// Those of some cells that no run has finished, in their order. Like [`Runs::has_cell`], but for a million cells the
    /// folders are listed instead, each once.
    pub fn without_pictures<'a>(
        &self,
        cells: impl Iterator<Item = &'a (usize, CellId)>,
    ) -> Vec<(usize, CellId)> {
        let cells: Vec<(usize, CellId)> = cells.copied().collect();
        if cells.len() < cells::MANY {
            return cells.into_iter().filter(|(_, id)| !self.has_cell(id)).collect();
        }
        let finished = cells::list(&self.root);
        cells.into_iter().filter(|(_, id)| !finished.contains(id)).collect()
    }

    /// The folder for the page of a comparison, whether it exists or not; the same for the same names.
    pub fn diff_folder(&self, left: &str, right: &str) -> PathBuf {
        self.root.join(".diffs").join(names::diff_name(left, right))
    }

    /// The timings measured on this machine; empty before the first run.
    pub fn timings(&self) -> Timings {
        timings::read(&self.root)
    }

    /// The cached fingerprint of a model whose files have that stamp.
    pub fn fingerprint(&self, stamp: &Stamp) -> Option<Digest> {
        fingerprints::read(&self.root, stamp)
    }

    /// Caches a fingerprint. The files must have had that stamp before and after it was computed.
    pub fn remember_fingerprint(&self, stamp: &Stamp, fingerprint: Digest) -> Result<(), StoreError> {
        fingerprints::add(&self.root, stamp, fingerprint)
    }

    /// Adds measurements to those of this machine.
    pub fn remember(&self, measured: &Timings) -> Result<(), StoreError> {
        timings::add_to_file(&self.root, measured)
    }

    /// The cached SHA-256 hashes of a file with that stamp.
    pub fn sha256(&self, stamp: &Stamp) -> Option<Sha256> {
        fingerprints::read_sha256(&self.root, stamp)
    }

    /// Caches SHA-256 hashes. The file must have had that stamp before and after they were computed.
    pub fn remember_sha256(&self, stamp: &Stamp, sha256: Sha256) -> Result<(), StoreError> {
        fingerprints::add_sha256(&self.root, stamp, sha256)
    }

    /// The runs of one name, in arbitrary order.
    pub(crate) fn of_name(&self, name: &str) -> Result<Vec<Run>, StoreError> {
        let folder = self.root.join(name);
        self.bring_plans(name)?;
        let mut runs = Vec::new();
        for entry in folders(&folder)? {
            let dir = folder.join(&entry);
            // `01` and `+1` parse too, but runs are never named so.
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

/// The names of the folders in a folder; empty if it does not exist.
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
