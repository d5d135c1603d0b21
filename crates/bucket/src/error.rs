//! What can go wrong with a bucket, and what to do about it.

use crate::Problem;
use std::time::Duration;

/// The errors of a bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// An address that names no bucket.
    #[error("`{address}` is no address of a bucket; allowed: s3://BUCKET or s3://BUCKET/PREFIX")]
    Address {
        /// The address.
        address: String,
    },
    /// A variable of the environment with a value that cannot be used, or a client that cannot be started.
    #[error("cannot use `{address}`")]
    Settings {
        /// The address.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A store that creates an object although there is one with that key, so that workers cannot agree on anything.
    #[error(
        "`{address}` is in a store that replaces objects where it was asked to create them only if absent (If-None-Match)"
    )]
    Replaces {
        /// The address.
        address: String,
    },
    /// A bucket in which a newer version keeps its runs in another way.
    #[error("`{address}` has {found}; this version of maquette reads {known}")]
    Newer {
        /// The address.
        address: String,
        /// What it says of its layout.
        found: String,
        /// What it would say of the layout that this version knows.
        known: &'static str,
    },
    /// A request failed, also when it was repeated.
    #[error("cannot {doing} `{object}`: {store} {problem}{}", tried(.repeated))]
    Request {
        /// The failed operation: `read`, `write`, `create`, `list`.
        doing: &'static str,
        /// The object.
        object: String,
        /// The store: its endpoint, or Amazon's and the region.
        store: String,
        /// Why.
        problem: Problem,
        /// For how long the request was repeated; zero if that would not have helped.
        repeated: Duration,
        /// Whether a key is in the variables of the environment; otherwise the machine itself is asked for one.
        has_key: bool,
    },
}

impl BucketError {
    /// What to do about it, in a sentence.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            BucketError::Address { .. } => return None,
            BucketError::Settings { .. } => {
                "Settings come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP."
            }
            BucketError::Replaces { .. } => {
                "allowed: a store with conditional writes, such as Amazon S3, Cloudflare R2 or a current MinIO."
            }
            BucketError::Newer { .. } => "A newer version has written it: update maquette.",
            BucketError::Request { has_key: false, .. } => {
                "AWS_ACCESS_KEY_ID is not set, so this machine was asked for the key of its role. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            }
            BucketError::Request { problem, .. } => problem.hint(),
        };
        Some(hint.to_owned())
    }
}

fn tried(repeated: &Duration) -> String {
    match repeated.as_secs() {
        0 => String::new(),
        seconds => format!(", tried for {seconds} s"),
    }
}
