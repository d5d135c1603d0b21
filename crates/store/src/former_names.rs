//! `.names.json` in the runs folder: the former names of runs that were renamed or removed.
//!
//! Logs and plans name other runs, and are never rewritten. With this file such a name keeps its meaning: it leads to the
//! run under its present name, and no later run gets it.

use crate::{Runs, StoreError, write_atomic};
use maquette_files::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The former names, such as `mucha@1`, each with the present name of its run; `None` for a run that was removed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct FormerNames(BTreeMap<String, Option<String>>);

/// The version of the file.
const FORMAT: u32 = 2;

#[derive(Serialize, Deserialize)]
struct NamesFile {
    format: u32,
    names: BTreeMap<String, Option<String>>,
}

/// What every version of the file has but the first, which has names alone.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

impl Runs {
    /// The present name of a run that a log or a plan names: another one if it was renamed since.
    pub fn present_name(&self, run: &str) -> Result<String, StoreError> {
        let names = FormerNames::read(self.root())?;
        Ok(names.present(run).flatten().unwrap_or(run).to_owned())
    }
}

impl FormerNames {
    /// Reads the file; empty if there is none.
    pub fn read(root: &Path) -> Result<FormerNames, StoreError> {
        let path = path(root);
        let text = match maquette_files::read(&path, limits::RUN_FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(FormerNames::default()),
            text => text.map_err(StoreError::io("read", &path))?,
        };
        let names = match serde_json::from_slice(&text) {
            Ok(Version { format }) if format > FORMAT.into() => {
                return Err(StoreError::newer(&path, format, FORMAT));
            }
            Ok(_) => serde_json::from_slice(&text).map(|NamesFile { names, .. }| names),
            Err(_) => serde_json::from_slice(&text),
        };
        names
            .map(FormerNames)
            .map_err(|error| StoreError::damaged(&path, format!("is not a list of names of runs: {error}")))
    }

    pub fn write(&self, root: &Path) -> Result<(), StoreError> {
        let file = NamesFile { format: FORMAT, names: self.0.clone() };
        let mut text = serde_json::to_vec_pretty(&file).unwrap_or_default();
        text.push(b'\n');
        write_atomic(&path(root), &text)
    }

    /// The present name of a run by a former name of it: `None` if it is not a former name, `Some(None)` if the run was
    /// removed.
    pub fn present(&self, former: &str) -> Option<Option<&str>> {
        self.0.get(former).map(Option::as_deref)
    }

    /// The former name with the highest number of an experiment's runs that were renamed, with the present name.
    pub fn latest(&self, name: &str) -> Option<&str> {
        let of_name =
            self.0.iter().filter_map(|(former, now)| Some((number(former, name)?, now.as_deref()?)));
        of_name.max_by_key(|(number, _)| *number).map(|(_, now)| now)
    }

    /// The highest number among the former runs of a name; 0 if there are none.
    pub fn highest(&self, name: &str) -> usize {
        self.0.keys().filter_map(|former| number(former, name)).max().unwrap_or(0)
    }

    /// Notes that a run has another name from now on, or was removed.
    pub fn add(&mut self, former: &str, now: Option<&str>) {
        for earlier in self.0.values_mut().filter(|earlier| earlier.as_deref() == Some(former)) {
            *earlier = now.map(str::to_owned);
        }
        self.0.insert(former.to_owned(), now.map(str::to_owned));
        // A run that gets an earlier name of its own back.
        if let Some(now) = now {
            self.0.remove(now);
        }
    }
}

/// The number in the name of a run of that experiment.
fn number(run: &str, name: &str) -> Option<usize> {
    let (found, number) = run.rsplit_once('@')?;
    number.parse().ok().filter(|_| found == name)
}

fn path(root: &Path) -> PathBuf {
    root.join(".names.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_name_leads_to_the_present_one() {
        let mut names = FormerNames::default();
        names.add("a@1", Some("b@1"));
        names.add("b@1", Some("c@4"));
        names.add("a@2", Some("c@5"));
        assert_eq!(names.present("a@1"), Some(Some("c@4")));
        assert_eq!((names.present("b@1"), names.present("c@4")), (Some(Some("c@4")), None));
        assert_eq!((names.latest("a"), names.highest("a"), names.highest("c")), (Some("c@5"), 2, 0));
        names.add("c@4", None);
        assert_eq!((names.present("a@1"), names.latest("b")), (Some(None), None));
        names.add("c@5", Some("a@2"));
        assert_eq!((names.present("a@2"), names.present("c@5")), (None, Some(Some("a@2"))));

        let folder = tempfile::tempdir().unwrap();
        assert_eq!(FormerNames::read(folder.path()).unwrap(), FormerNames::default());
        names.write(folder.path()).unwrap();
        assert_eq!(FormerNames::read(folder.path()).unwrap(), names);
        std::fs::write(path(folder.path()), "{\"a@1\": \"b@1\", \"c@1\": null}").unwrap();
        let first = FormerNames::read(folder.path()).unwrap();
        assert_eq!((first.present("a@1"), first.present("c@1")), (Some(Some("b@1")), Some(None)));
        std::fs::write(path(folder.path()), "{\"format\": 3, \"runs\": []}").unwrap();
        assert!(matches!(FormerNames::read(folder.path()), Err(StoreError::Newer { version: 3, .. })));
        std::fs::write(path(folder.path()), "[").unwrap();
        assert!(FormerNames::read(folder.path()).is_err());
    }
}
