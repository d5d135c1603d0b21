//! A bucket of an object store, which is S3 or speaks its protocol, as a store of bytes by key.
//!
//! Every call waits for its answer. Requests that fail in passing are repeated for some minutes. The asynchronous code of the client
//! runs on a thread of its own, and nothing outside of this crate sees it.
//!
//! Not here: runs, claims, files. Variables of the environment are arguments.

#![forbid(unsafe_code)]

mod error;
mod open;
#[cfg(test)]
mod tests;

pub use error::BucketError;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How many requests are in progress at once where there are many to make.
const AT_ONCE: usize = 16;

/// The pause before an object is created again after a failure; it doubles each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An object that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub content: Vec<u8>,
    /// When it was written, by the store's clock, in nanoseconds since 1970.
    pub modified: u64,
}

/// The objects of a bucket whose keys begin with a prefix. Keys are relative to it.
#[derive(Clone)]
pub struct Bucket {
    address: String,
    prefix: Path,
    /// Repeats requests that fail in passing.
    store: Arc<dyn ObjectStore>,
    /// Repeats none, so that it is known whether an object may have been created by a request without an answer.
    once: Arc<dyn ObjectStore>,
    /// For how long requests are repeated.
    patience: Duration,
    runtime: Arc<Runtime>,
}

impl Bucket {
    /// The address, such as `s3://bucket/prefix`, without a `/` at its end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Creates an object; false, and nothing is changed, if there is one with that key. Of several that create the same key, exactly
    /// one succeeds.
    pub fn create(&self, key: &str, content: &[u8]) -> Result<bool, BucketError> {
        let (begun, mut pause, mut unsure) = (Instant::now(), FIRST_PAUSE, false);
        let path = self.path(key);
        loop {
            let put = self.once.put_opts(&path, content.to_vec().into(), PutMode::Create.into());
            match self.runtime.block_on(put) {
                Ok(_) => return Ok(true),
                // It may be ours: the answer to the request that created it was lost.
                Err(Error::AlreadyExists { .. }) if unsure => {
                    return Ok(self.get(key)?.is_some_and(|found| found.content == content));
                }
                Err(Error::AlreadyExists { .. }) => return Ok(false),
                Err(Error::Generic { .. }) if begun.elapsed() < self.patience => {
                    unsure = true;
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(self.error("create", key, error)),
            }
        }
    }

    /// Writes an object, or replaces it.
    pub fn put(&self, key: &str, content: Vec<u8>) -> Result<(), BucketError> {
        let put = self.runtime.block_on(self.store.put(&self.path(key), content.into()));
        put.map(drop).map_err(|error| self.error("write", key, error))
    }

    /// Reads an object; `None` if there is none with that key.
    pub fn get(&self, key: &str) -> Result<Option<Object>, BucketError> {
        self.runtime.block_on(self.fetch(key))
    }

    /// Reads some objects, several at once; in the order of the keys.
    pub fn get_all(&self, keys: &[String]) -> Result<Vec<Option<Object>>, BucketError> {
        let fetched = stream::iter(keys).map(|key| self.fetch(key)).buffered(AT_ONCE);
        self.runtime.block_on(fetched.try_collect())
    }

    /// Whether there is an object with that key.
    pub fn exists(&self, key: &str) -> Result<bool, BucketError> {
        match self.runtime.block_on(self.store.head(&self.path(key))) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.error("read", key, error)),
        }
    }

    /// The objects whose keys begin with `prefix`, which ends with `/` or is empty: the rest of each key, in any order.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, BucketError> {
        let below = self.path(prefix);
        let found = self.store.list(Some(&below)).map_ok(|object| rest(&below, &object.location));
        self.runtime.block_on(found.try_collect()).map_err(|error| self.error("list", prefix, error))
    }

    /// The names of what would be the folders in `prefix`, which ends with `/` or is empty, in any order.
    pub fn folders(&self, prefix: &str) -> Result<Vec<String>, BucketError> {
        let below = self.path(prefix);
        let found = self.runtime.block_on(self.store.list_with_delimiter(Some(&below)));
        let found = found.map_err(|error| self.error("list", prefix, error))?;
        Ok(found.common_prefixes.iter().map(|folder| rest(&below, folder)).collect())
    }

    /// Removes some objects; those that are gone already are no error.
    pub fn remove(&self, keys: &[String]) -> Result<(), BucketError> {
        let paths: Vec<_> = keys.iter().map(|key| Ok(self.path(key))).collect();
        let removed = self.store.delete_stream(stream::iter(paths).boxed());
        let removed = removed.filter_map(|removed| async {
            match removed {
                Err(error) if !matches!(error, Error::NotFound { .. }) => Some(error),
                _ => None,
            }
        });
        match self.runtime.block_on(Box::pin(removed).next()) {
            None => Ok(()),
            Some(error) => Err(self.error("remove from", keys.first().map_or("", String::as_str), error)),
        }
    }

    async fn fetch(&self, key: &str) -> Result<Option<Object>, BucketError> {
        let fetched = async {
            let found = self.store.get(&self.path(key)).await?;
            let modified = found.meta.last_modified.timestamp_nanos_opt().unwrap_or(0);
            let modified = u64::try_from(modified).unwrap_or(0);
            Ok(Object { content: found.bytes().await?.to_vec(), modified })
        };
        match fetched.await {
            Ok(object) => Ok(Some(object)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error("read", key, error)),
        }
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}/{key}", self.prefix))
    }

    fn error(&self, doing: &'static str, key: &str, source: Error) -> BucketError {
        BucketError::Request { doing, object: format!("{}/{key}", self.address), source: Box::new(source) }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.address).finish()
    }
}

/// What follows `prefix` in a path.
fn rest(prefix: &Path, path: &Path) -> String {
    let rest = path.as_ref().strip_prefix(prefix.as_ref()).unwrap_or(path.as_ref());
    rest.trim_start_matches('/').to_owned()
}
