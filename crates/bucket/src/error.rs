//! What can go wrong with a bucket, and what to do about it.

use object_store::Error;

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
    /// A request failed, also when it was repeated.
    #[error("cannot {doing} `{object}`")]
    Request {
        /// The failed operation: `read`, `write`, `create`, `list`.
        doing: &'static str,
        /// The object.
        object: String,
        /// What the store has answered.
        source: Box<Error>,
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
            BucketError::Request { source, .. } => match **source {
                Error::NotFound { .. } => {
                    "There is no such bucket at that endpoint. It is chosen by AWS_ENDPOINT_URL and AWS_REGION."
                }
                Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                    "The key is wrong, or may not do that: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN."
                }
                _ => {
                    "Is the store reachable? The endpoint is AWS_ENDPOINT_URL; http:// needs AWS_ALLOW_HTTP=true. Finished cells are kept: run again."
                }
            },
        };
        Some(hint.to_owned())
    }
}
