//! From a repository's name to its files in the cache, in two moves: an offer says what would come, and fetching it
//! gets what is not there yet.

use crate::cache::Cache;
use crate::download::{DownloadProgress, address, download};
use crate::http::Client;
use crate::info::info;
use crate::wanted::INDEX;
use crate::{Environment, HubError, Repository, Wanted};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A hub and the cache of what came from it.
pub struct Hub {
    client: Client,
    cache: Cache,
    offline: bool,
}

/// What a repository has of what is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// As it was asked for.
    pub repository: Repository,
    /// The commit that its revision stands for now.
    pub commit: String,
    /// The licence's name on the hub.
    pub licence: Option<String>,
    /// The page where the authors say more, the licence's terms for instance.
    pub page: String,
    /// The files, sorted by name.
    pub files: Vec<OfferedFile>,
}

/// A file of an offer.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedFile {
    /// Its path within the repository.
    pub name: String,
    /// Its size in bytes, if the hub says it.
    pub size: Option<u64>,
    /// Whether it is in the cache.
    pub here: bool,
}

impl Offer {
    /// Bytes that are still to come, as far as the hub says sizes.
    pub fn bytes_to_come(&self) -> u64 {
        self.files.iter().filter(|file| !file.here).filter_map(|file| file.size).sum()
    }

    /// Whether nothing is to come.
    pub fn is_here(&self) -> bool {
        self.files.iter().all(|file| file.here)
    }
}

impl Hub {
    /// The hub that the environment names. `patience` is the wait before a second try; it doubles with every further.
    pub fn new(environment: &Environment, patience: Duration) -> Result<Hub, HubError> {
        let client = Client::new(environment, patience)?;
        Ok(Hub { client, cache: Cache::new(environment), offline: environment.offline })
    }

    /// The cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Asks the hub what it has. Nothing is written.
    pub fn offer(&self, repository: &Repository, wanted: &Wanted) -> Result<Offer, HubError> {
        if self.offline {
            return Err(HubError::Offline(repository.to_string()));
        }
        let info = info(&self.client, repository)?;
        let has = |file: &str| info.files.contains_key(file);
        let index = match has(INDEX) {
            true => Some(self.client.get(&address(&self.client, repository, &info.commit, INDEX))?),
            false => None,
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

    /// Gets what is not here yet, and gives the folder of the model. The revision stands for the new commit only when
    /// all of its files are there.
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
        self.cache.refer(repository, commit)?;
        Ok(self.cache.snapshot_at(repository, commit))
    }
}
