//! A bucket of an object store, which is S3 or speaks its protocol, as a store of bytes by key.
//!
//! Every call waits for its answer. Requests that fail in passing are repeated for some minutes. The asynchronous code of the client
//! runs on a thread of its own, and nothing outside of this crate sees it.
//!
//! Not here: runs, claims, files. Variables of the environment are arguments.

#![forbid(unsafe_code)]

mod error;
mod open;
mod problem;
#[cfg(test)]
mod tests;

pub use error::BucketError;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};
pub use problem::Problem;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Which of the contents that it has had this is.
    pub version: Version,
}

/// One of the contents that an object has had, by its e-tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(Option<String>);

/// The objects of a bucket whose keys begin with a prefix. Keys are relative to it.
#[derive(Clone)]
pub struct Bucket {
    address: String,
    prefix: Path,
    /// Repeats requests that fail in passing.
    store: Arc<dyn ObjectStore>,
    /// Repeats none, so that it is known whether an object may have been created by a request without an answer.
    once: Arc<dyn ObjectStore>,
    /// Repeats none and waits for no answer for long: for a store that is gone.
    briefly: Arc<dyn ObjectStore>,
    /// For how long requests are repeated.
    patience: Duration,
    /// The store, for people.
    store_name: String,
    /// Whether a key is in the variables of the environment.
    has_key: bool,
    /// Whether the last request failed although it was repeated for all that time. Then requests are made once and briefly, until one
    /// succeeds, so that a process whose store is gone ends soon.
    is_gone: Arc<AtomicBool>,
    runtime: Arc<Runtime>,
}

impl Bucket {
    /// The address, such as `s3://bucket/prefix`, without a `/` at its end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The store for people: its endpoint, or Amazon's and the region.
    pub fn store_name(&self) -> &str {
        &self.store_name
    }

    /// Creates an object; false, and nothing is changed, if there is one with that key. Of several that create the same key, exactly
    /// one succeeds.
    pub fn create(&self, key: &str, content: &[u8]) -> Result<bool, BucketError> {
        self.put_if("create", key, content, &PutMode::Create)
    }

    /// Writes an object if it is what was read before, or is still absent if `seen` is `None`; false, and nothing is changed, if
    /// another process has written it meanwhile.
    pub fn replace(&self, key: &str, content: &[u8], seen: Option<&Version>) -> Result<bool, BucketError> {
        let mode = seen.map_or(PutMode::Create, |Version(e_tag)| {
            PutMode::Update(UpdateVersion { e_tag: e_tag.clone(), version: None })
        });
        self.put_if("write", key, content, &mode)
    }

    /// Writes an object under a condition; false, and nothing is changed, if that does not hold.
    fn put_if(
        &self,
        doing: &'static str,
        key: &str,
        content: &[u8],
        mode: &PutMode,
    ) -> Result<bool, BucketError> {
        let (begun, mut pause, mut unsure) = (Instant::now(), FIRST_PAUSE, false);
        let path = self.path(key);
        loop {
            let client = if self.is_gone() { &self.briefly } else { &self.once };
            let put = client.put_opts(&path, content.to_vec().into(), mode.clone().into());
            let error = match self.runtime.block_on(put) {
                Ok(_) => return Ok(self.answered(true)),
                Err(error) => error,
            };
            let problem = Problem::of(&error);
            let refused = matches!(error, Error::AlreadyExists { .. } | Error::Precondition { .. })
                && !problem.is_passing()
                && problem != Problem::NoBucket;
            // It may be ours: the answer to the request that wrote it was lost.
            if refused && unsure {
                return Ok(self.get(key)?.is_some_and(|found| found.content == content));
            }
            if refused {
                return Ok(self.answered(false));
            }
            if !problem.is_passing() || self.is_gone() || begun.elapsed() >= self.patience {
                return Err(self.error(doing, key, begun, &error));
            }
            unsure = true;
            std::thread::sleep(pause.min(self.patience));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Writes an object, or replaces it.
    pub fn put(&self, key: &str, content: Vec<u8>) -> Result<(), BucketError> {
        let begun = Instant::now();
        let put = self.runtime.block_on(self.client().put(&self.path(key), content.into()));
        put.map(|_| self.answered(())).map_err(|error| self.error("write", key, begun, &error))
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
        let begun = Instant::now();
        match self.runtime.block_on(self.client().head(&self.path(key))) {
            Ok(_) => Ok(self.answered(true)),
            Err(Error::NotFound { .. }) => Ok(self.answered(false)),
            Err(error) => Err(self.error("read", key, begun, &error)),
        }
    }

    /// The objects whose keys begin with `prefix`, which ends with `/` or is empty: the rest of each key, in any order.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, BucketError> {
        let (below, begun) = (self.path(prefix), Instant::now());
        let found = self.client().list(Some(&below)).map_ok(|object| rest(&below, &object.location));
        let found = self.runtime.block_on(found.try_collect());
        found.map(|found| self.answered(found)).map_err(|error| self.error("list", prefix, begun, &error))
    }

    /// The names of what would be the folders in `prefix`, which ends with `/` or is empty, in any order.
    pub fn folders(&self, prefix: &str) -> Result<Vec<String>, BucketError> {
        let (below, begun) = (self.path(prefix), Instant::now());
        let found = self.runtime.block_on(self.client().list_with_delimiter(Some(&below)));
        let found = found.map_err(|error| self.error("list", prefix, begun, &error))?;
        Ok(self.answered(found).common_prefixes.iter().map(|folder| rest(&below, folder)).collect())
    }

    /// Removes some objects; those that are gone already are no error.
    pub fn remove(&self, keys: &[String]) -> Result<(), BucketError> {
        let begun = Instant::now();
        let paths: Vec<_> = keys.iter().map(|key| Ok(self.path(key))).collect();
        let removed = self.client().delete_stream(stream::iter(paths).boxed());
        let removed = removed.filter_map(|removed| async {
            match removed {
                Err(error) if !matches!(error, Error::NotFound { .. }) => Some(error),
                _ => None,
            }
        });
        match self.runtime.block_on(Box::pin(removed).next()) {
            None => {
                self.answered(());
                Ok(())
            }
            Some(error) => Err(self.error("remove", keys.first().map_or("", String::as_str), begun, &error)),
        }
    }

    async fn fetch(&self, key: &str) -> Result<Option<Object>, BucketError> {
        let begun = Instant::now();
        let fetched = async {
            let found = self.client().get(&self.path(key)).await?;
            let modified = found.meta.last_modified.timestamp_nanos_opt().unwrap_or(0);
            let modified = u64::try_from(modified).unwrap_or(0);
            let version = Version(found.meta.e_tag.clone());
            Ok(Object { content: found.bytes().await?.to_vec(), modified, version })
        };
        match fetched.await {
            Ok(object) => Ok(Some(self.answered(object))),
            // A missing object is none, a missing bucket is an error.
            Err(error) if is_object_missing(&error) => Ok(self.answered(None)),
            Err(error) => Err(self.error("read", key, begun, &error)),
        }
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}/{key}", self.prefix))
    }

    /// The client for requests that may be repeated.
    fn client(&self) -> &Arc<dyn ObjectStore> {
        if self.is_gone() { &self.briefly } else { &self.store }
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// Remembers that the store answers.
    fn answered<T>(&self, result: T) -> T {
        self.is_gone.store(false, Ordering::Relaxed);
        result
    }

    /// The error of a request that was begun at that time.
    fn error(&self, doing: &'static str, key: &str, begun: Instant, source: &Error) -> BucketError {
        let problem = Problem::of(source);
        let is_passing = problem.is_passing();
        if is_passing {
            self.is_gone.store(true, Ordering::Relaxed);
        }
        BucketError::Request {
            doing,
            object: format!("{}/{key}", self.address),
            store: self.store_name.clone(),
            problem,
            repeated: if is_passing { begun.elapsed() } else { Duration::ZERO },
            has_key: self.has_key,
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.address).finish()
    }
}

fn is_object_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && Problem::of(error) != Problem::NoBucket
}

/// What follows `prefix` in a path.
fn rest(prefix: &Path, path: &Path) -> String {
    let rest = path.as_ref().strip_prefix(prefix.as_ref()).unwrap_or(path.as_ref());
    rest.trim_start_matches('/').to_owned()
}
