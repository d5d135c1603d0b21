//! Opens a bucket by its address.

use crate::{Bucket, BucketError};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What the addresses of buckets begin with.
const SCHEME: &str = "s3://";

/// The key of an object that says that a prefix belongs to Maquette, and by which layout.
const LAYOUT: &str = ".maquette";
/// For how long the first request is repeated.
const PROBE: Duration = Duration::from_secs(5);

/// How long a request may take, with its answer; a store may accept it and never answer.
const ANSWER: Duration = Duration::from_secs(60);

/// The same for a store that has not answered for some minutes.
const BRIEF: Duration = Duration::from_secs(10);

/// What that object contains, with a new line.
const LAYOUT_TEXT: &str = "layout 1";

/// Variables besides `AWS_ACCESS_KEY_ID` from which a key may come, by their beginnings.
const OTHER_KEYS: [&str; 3] = ["AWS_WEB_IDENTITY_", "AWS_CONTAINER_", "AWS_SKIP_SIGNATURE"];

impl Bucket {
    /// For how long requests are repeated unless another time is given: longer than the lease of a claim, within which others take
    /// over what this process holds, and shorter than credentials are valid.
    pub const PATIENCE: Duration = Duration::from_secs(180);

    /// Opens the bucket with that address, `s3://BUCKET/PREFIX`. `variables` are those of the environment, of which
    /// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and others are read. Reads one object, to see that the bucket is there and that the
    /// key is right; writes nothing.
    ///
    /// # Errors
    ///
    /// Every [`BucketError`] but `Replaces`.
    pub fn open(
        address: &str,
        variables: &[(String, String)],
        patience: Duration,
    ) -> Result<Bucket, BucketError> {
        let address = address.trim_end_matches('/');
        let named = address.strip_prefix(SCHEME).filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let Some(named) = named else { return Err(BucketError::Address { address: address.to_owned() }) };
        let (name, prefix) = named.split_once('/').unwrap_or((named, ""));
        // The one that rustls uses for the hub. It is set already if a bucket was opened before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = |source: Box<dyn std::error::Error + Send + Sync>| BucketError::Settings {
            address: address.to_owned(),
            source,
        };
        let mut builder = AmazonS3Builder::new().with_bucket_name(name);
        for (key, value) in variables.iter().filter(|(key, _)| key.starts_with("AWS_")) {
            if let Ok(key) = key.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let client = |retry: RetryConfig, answer: Duration| -> Result<Arc<dyn ObjectStore>, BucketError> {
            let builder = builder.clone().with_client_options(options(variables, answer));
            let built = builder.with_retry(retry).build();
            Ok(Arc::new(built.map_err(|error| settings(error.into()))?))
        };
        let retry = |time: Duration| RetryConfig {
            max_retries: usize::MAX,
            retry_timeout: time,
            backoff: BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() },
        };
        let never = || RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let once = client(never(), patience.min(ANSWER))?;
        let briefly = client(never(), patience.min(BRIEF))?;
        let set = |name: &&str| variables.iter().any(|(key, _)| key.starts_with(*name));
        // A wrong address is worth less patience.
        let probe = patience.min(PROBE);
        let bucket = Bucket::over(address, prefix, client(retry(probe), probe)?, once, probe);
        let bucket = Bucket {
            briefly,
            store_name: store_name(&builder),
            has_key: set(&"AWS_ACCESS_KEY_ID") || OTHER_KEYS.iter().any(set),
            ..bucket.map_err(|error| settings(error.into()))?
        };
        match bucket.get(LAYOUT)? {
            Some(layout) if String::from_utf8_lossy(&layout.content).trim() != LAYOUT_TEXT => {
                let found = String::from_utf8_lossy(&layout.content).lines().next().unwrap_or("").to_owned();
                Err(BucketError::Newer { address: address.to_owned(), found, known: LAYOUT_TEXT })
            }
            _ => {
                let store = client(retry(patience), patience.min(ANSWER))?;
                Ok(Bucket { store, patience, ..bucket })
            }
        }
    }

    /// Writes what says that this is a place for runs, for those who write some, and checks that the store creates objects only if
    /// they are absent. Makes one or two requests.
    ///
    /// # Errors
    ///
    /// [`BucketError::Replaces`] if it replaces them; [`BucketError::Request`], also for a key that may only read.
    pub fn prepare(&self) -> Result<(), BucketError> {
        let layout = format!("{LAYOUT_TEXT}\n");
        match self.create(LAYOUT, layout.as_bytes())? && self.create(LAYOUT, layout.as_bytes())? {
            true => Err(BucketError::Replaces { address: self.address.clone() }),
            false => Ok(()),
        }
    }

    /// Keys below `prefix` of a store, by a client that repeats requests and one that does not.
    pub(crate) fn over(
        address: &str,
        prefix: &str,
        store: Arc<dyn ObjectStore>,
        once: Arc<dyn ObjectStore>,
        patience: Duration,
    ) -> std::io::Result<Bucket> {
        Ok(Bucket {
            address: address.to_owned(),
            prefix: Path::from(prefix),
            store,
            briefly: Arc::clone(&once),
            once,
            patience,
            store_name: "the store".to_owned(),
            has_key: true,
            is_gone: Arc::default(),
            runtime: runtime()?,
        })
    }
}

/// How people know the store: its endpoint, or Amazon's and the region.
fn store_name(builder: &AmazonS3Builder) -> String {
    let value = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
    match (value(AmazonS3ConfigKey::Endpoint), value(AmazonS3ConfigKey::Region)) {
        (Some(endpoint), _) => format!("`{endpoint}`"),
        (None, Some(region)) => format!("Amazon S3 in {region}"),
        (None, None) => "Amazon S3".to_owned(),
    }
}

/// `AWS_ALLOW_HTTP` is an option of the client.
fn options(variables: &[(String, String)], answer: Duration) -> ClientOptions {
    let allow = variables.iter().any(|(key, value)| key == "AWS_ALLOW_HTTP" && value.trim() == "true");
    ClientOptions::new().with_allow_http(allow).with_timeout(answer)
}

/// One thread for the client; the callers wait.
fn runtime() -> std::io::Result<Arc<Runtime>> {
    let mut builder = Builder::new_multi_thread();
    Ok(Arc::new(builder.worker_threads(1).thread_name("bucket").enable_all().build()?))
}
