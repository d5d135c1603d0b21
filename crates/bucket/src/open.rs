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

const LAYOUT_TEXT: &[u8] = b"layout 1\n";

impl Bucket {
    /// For how long requests are repeated unless another time is given: longer than the lease of a claim, within which others take
    /// over what this process holds, and shorter than credentials are valid.
    pub const PATIENCE: Duration = Duration::from_secs(180);

    /// Opens the bucket with that address, `s3://BUCKET/PREFIX`. `variables` are those of the environment, of which
    /// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and others are read. Makes one or two requests, to see that it is there and that it
    /// can create an object if absent.
    ///
    /// # Errors
    ///
    /// Every [`BucketError`].
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
        let client = |retry: RetryConfig| {
            let mut builder = AmazonS3Builder::new().with_bucket_name(name);
            for (key, value) in variables.iter().filter(|(key, _)| key.starts_with("AWS_")) {
                if let Ok(key) = key.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                    builder = builder.with_config(key, value);
                }
            }
            builder.with_client_options(options(variables)).with_retry(retry).build()
        };
        let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let retry = RetryConfig {
            max_retries: usize::MAX,
            retry_timeout: patience,
            backoff: BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() },
        };
        let store = Arc::new(client(retry).map_err(|error| settings(error.into()))?);
        let once = Arc::new(client(once).map_err(|error| settings(error.into()))?);
        let runtime = runtime().map_err(|error| settings(error.into()))?;
        // A wrong address is worth less patience.
        let probe = Bucket::over(address, prefix, once.clone(), once.clone(), patience.min(PROBE), runtime);
        if probe.create(LAYOUT, LAYOUT_TEXT)? && probe.create(LAYOUT, LAYOUT_TEXT)? {
            return Err(BucketError::Replaces { address: address.to_owned() });
        }
        Ok(Bucket { store, patience, ..probe })
    }

    pub(crate) fn over(
        address: &str,
        prefix: &str,
        store: Arc<dyn ObjectStore>,
        once: Arc<dyn ObjectStore>,
        patience: Duration,
        runtime: Arc<Runtime>,
    ) -> Bucket {
        Bucket { address: address.to_owned(), prefix: Path::from(prefix), store, once, patience, runtime }
    }
}

/// `AWS_ALLOW_HTTP` is an option of the client.
fn options(variables: &[(String, String)]) -> ClientOptions {
    let allow = variables.iter().any(|(key, value)| key == "AWS_ALLOW_HTTP" && value.trim() == "true");
    ClientOptions::new().with_allow_http(allow).with_timeout(Duration::from_secs(60))
}

/// One thread for the client; the callers wait.
pub(crate) fn runtime() -> std::io::Result<Arc<Runtime>> {
    let mut builder = Builder::new_multi_thread();
    Ok(Arc::new(builder.worker_threads(1).thread_name("bucket").enable_all().build()?))
}
