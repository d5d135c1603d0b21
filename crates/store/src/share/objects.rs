//! The objects of a session, as files in a folder or in a bucket.

use super::FOLDER;
use crate::StoreError;
use crate::atomic::write_new;
use crate::folders::folders;
use maquette_bucket::Bucket;
use maquette_share::{FINISHED, Objects};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The objects of a session.
#[derive(Debug, Clone)]
pub enum SessionObjects {
    /// Files in the run's folder.
    Folder(FolderObjects),
    /// Objects of a bucket whose keys begin with this, which ends with `/`.
    Bucket(Bucket, String),
}

/// A folder whose files are the objects of a session.
#[derive(Debug, Clone)]
pub struct FolderObjects {
    root: PathBuf,
}

impl FolderObjects {
    /// The objects of a run's session.
    pub(crate) fn of(run: &Path, session: u32) -> FolderObjects {
        FolderObjects { root: run.join(FOLDER).join(session.to_string()) }
    }

    /// The file of an object, whether it exists or not.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Whether the session is over.
    pub(crate) fn is_over(&self) -> bool {
        self.path(FINISHED).exists()
    }
}

/// The numbers of a run's sessions, ascending.
pub(crate) fn sessions(run: &Path) -> Result<Vec<u32>, StoreError> {
    let named = folders(&run.join(FOLDER))?;
    let mut numbers: Vec<u32> = named.iter().filter_map(|(name, _)| name.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The session that a worker joins: the newest one, or one after it if that is over.
pub(crate) fn open_session(run: &Path) -> Result<u32, StoreError> {
    let newest = sessions(run)?.pop().unwrap_or(1);
    Ok(if FolderObjects::of(run, newest).is_over() { newest + 1 } else { newest })
}

impl Objects for FolderObjects {
    type Error = StoreError;

    fn create(&self, key: &str, content: &[u8]) -> Result<bool, StoreError> {
        write_new(&self.path(key), content)
    }

    fn exists(&self, key: &str) -> Result<bool, StoreError> {
        let path = self.path(key);
        path.try_exists().map_err(StoreError::io("open", &path))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let folder = self.path(prefix);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(StoreError::io("read", &folder))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(StoreError::io("read", &folder))?.file_name();
            names.extend(name.into_string().ok().filter(|name| !name.starts_with('.')));
        }
        Ok(names)
    }
}

impl SessionObjects {
    /// The file of an object, whether it exists or not; `None` in a bucket.
    pub(crate) fn file(&self, key: &str) -> Option<PathBuf> {
        match self {
            SessionObjects::Folder(folder) => Some(folder.path(key)),
            SessionObjects::Bucket(..) => None,
        }
    }
}

impl Objects for SessionObjects {
    type Error = StoreError;

    fn create(&self, key: &str, content: &[u8]) -> Result<bool, StoreError> {
        match self {
            SessionObjects::Folder(folder) => folder.create(key, content),
            SessionObjects::Bucket(bucket, prefix) => Ok(bucket.create(&format!("{prefix}{key}"), content)?),
        }
    }

    fn exists(&self, key: &str) -> Result<bool, StoreError> {
        match self {
            SessionObjects::Folder(folder) => folder.exists(key),
            SessionObjects::Bucket(bucket, prefix) => Ok(bucket.exists(&format!("{prefix}{key}"))?),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        match self {
            SessionObjects::Folder(folder) => folder.list(prefix),
            SessionObjects::Bucket(bucket, before) => Ok(bucket.list(&format!("{before}{prefix}"))?),
        }
    }
}
