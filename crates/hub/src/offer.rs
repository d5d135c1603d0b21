//! From a repository's name to its files in the cache, in two steps: an offer lists what would be downloaded, and
//! fetching it downloads what is missing.

use crate::cache::Cache;
use crate::download::{DownloadProgress, address, download};
use crate::http::Client;
use crate::info::info;
use crate::wanted;
use crate::{Environment, HubError, Repository, Wanted};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A hub and its cache.
pub struct Hub {
    client: Client,
    cache: Cache,
    offline: bool,
}

/// The files of a repository that a model needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The repository, as requested.
    pub repository: Repository,
    /// The commit that its revision points to now.
    pub commit: String,
    /// The licence's name on the hub.
    pub licence: Option<String>,
    /// The repository's page, for instance for the licence's terms.
    pub page: String,
    /// The files, sorted by name.
    pub files: Vec<OfferedFile>,
}

/// A file of an offer.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedFile {
    /// Its path within the repository.
    pub name: String,
    /// Its size in bytes, if the hub gives it.
    pub size: Option<u64>,
    /// Whether it is in the cache.
    pub here: bool,
}

impl Offer {
    /// Bytes that are still to be downloaded, counting files whose size is known.
    pub fn bytes_to_come(&self) -> u64 {
        self.files.iter().filter(|file| !file.here).filter_map(|file| file.size).sum()
    }

    /// Whether every file is in the cache.
    pub fn is_here(&self) -> bool {
        self.files.iter().all(|file| file.here)
    }
}

impl Hub {
    /// The hub that the environment names. `retry_delay` is the wait before the first retry; it doubles for each
    /// further one.
    pub fn new(environment: &Environment, retry_delay: Duration) -> Result<Hub, HubError> {
        let client = Client::new(environment, retry_delay)?;
        Ok(Hub { client, cache: Cache::new(environment), offline: environment.offline })
    }

    /// The cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Asks the hub for the repository's files. Writes nothing.
    pub fn offer(&self, repository: &Repository, wanted: &Wanted) -> Result<Offer, HubError> {
        if self.offline {
            return Err(HubError::Offline(repository.to_string()));
        }
        let info = info(&self.client, repository)?;
        let has = |file: &str| info.files.contains_key(file);
        let index = match wanted::index(&has) {
            Some(index) => Some(self.client.get(&address(&self.client, repository, &info.commit, index))?),
            None => None,
        };
        let all = || info.files.keys().cloned().collect();
        let snapshot = self.cache.snapshot_at(repository, &info.commit);
        let names = wanted.files(index.as_deref(), &all, &has, &|file| snapshot.join(file).is_file());
        let names =
            names.map_err(|reason| HubError::Unusable { repository: repository.to_string(), reason })?;
        let files = names.into_iter().map(|name| {
            let size = info.files[&name];
            let here = fs::metadata(snapshot.join(&name))
                .is_ok_and(|found| size.is_none_or(|size| size == found.len()));
            OfferedFile { name, size, here }
        });
        Ok(Offer {
            files: files.collect(),
            repository: repository.clone(),
            licence: info.licence,
            page: format!("{}/{}", self.client.endpoint(), repository.name()),
            commit: info.commit,
        })
    }

    /// Downloads what is missing and returns the model's folder. The revision points to the new commit only once all
    /// of its files are there.
    pub fn fetch(
        &self,
        offer: &Offer,
        progress: &mut dyn FnMut(DownloadProgress<'_>),
    ) -> Result<PathBuf, HubError> {
        let Offer { repository, commit, files, .. } = offer;
        if self.offline && !offer.is_here() {
            return Err(HubError::Offline(repository.to_string()));
        }
        for file in files.iter().filter(|file| !file.here) {
            download(&self.client, &self.cache, repository, commit, &file.name, file.size, progress)?;
        }
        self.cache.write_ref(repository, commit)?;
        Ok(self.cache.snapshot_at(repository, commit))
    }
}
