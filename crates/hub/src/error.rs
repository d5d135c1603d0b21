//! Errors of the hub and its cache. Each names the file or repository, and has a hint where there is a remedy.

use crate::Unusable;
use std::path::PathBuf;

/// A request to the hub failed, or its answer could not be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// `HF_HUB_OFFLINE` is set.
    #[error("{0} is not in the cache, and HF_HUB_OFFLINE is set")]
    Offline(String),
    /// No connection, even after several tries.
    #[error("cannot get {url}")]
    Unreachable {
        /// The whole address.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// There is no such repository, or it is private.
    #[error("the hub at {endpoint} has no repository `{repository}`{}", if *token { "" } else { ", or it is private" })]
    NoRepository {
        /// Which hub.
        endpoint: String,
        /// Which repository.
        repository: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// There is no such branch, tag or commit.
    #[error("the repository `{repository}` has no revision `{revision}`")]
    NoRevision {
        /// Which repository.
        repository: String,
        /// Which revision.
        revision: String,
    },
    /// There is no such file.
    #[error("the hub has no file {url}")]
    NoFile {
        /// The whole address.
        url: String,
    },
    /// The repository's terms must be accepted first.
    #[error("`{repository}` is gated: {}", if *token { "this token's user has not been given access" } else { "a token is required" })]
    Gated {
        /// The repository's page.
        page: String,
        /// Which repository.
        repository: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The token was not accepted.
    #[error("the hub refused {url} with status {status}{}", message_suffix(.message))]
    Refused {
        /// The whole address.
        url: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token: bool,
        /// The hub's message, may be empty.
        message: String,
    },
    /// Any other unsuccessful status.
    #[error("{url}: the hub answered with status {status}{}", message_suffix(.message))]
    Status {
        /// The whole address.
        url: String,
        /// The status.
        status: u16,
        /// The hub's message, may be empty.
        message: String,
    },
    /// An answer that a hub would not give.
    #[error("{url}: unexpected answer: {reason}")]
    Nonsense {
        /// The whole address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection broke on every try.
    #[error("{url}: the connection broke after {had} of {size} bytes")]
    Cut {
        /// The whole address.
        url: String,
        /// How many bytes were received and kept.
        had: u64,
        /// How many bytes the file has.
        size: u64,
    },
    /// The length differs from the announced one.
    #[error("{url}: the hub announced {size} bytes but sent {found}")]
    WrongSize {
        /// The whole address.
        url: String,
        /// The announced length in bytes.
        size: u64,
        /// The received length in bytes.
        found: u64,
    },
    /// The content differs from the announced one.
    #[error("{url}: the content does not match the hub's checksum: SHA-256 is {found}, expected {announced}")]
    WrongContent {
        /// The whole address.
        url: String,
        /// The announced SHA-256.
        announced: String,
        /// The SHA-256 of the received content.
        found: String,
    },
    /// The cache cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file or folder.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The repository contains no usable model.
    #[error("`{repository}` {reason}")]
    Unusable {
        /// Which repository.
        repository: String,
        /// Why.
        reason: Unusable,
    },
    /// A certificate file that cannot be read.
    #[error("SSL_CERT_FILE: {} contains no readable certificates", .0.display())]
    Certificates(PathBuf),
}

/// The hub's message after a colon, or nothing.
fn message_suffix(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl HubError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            HubError::Offline(_) => {
                "unset HF_HUB_OFFLINE, or download the model on a machine with a network and copy the cache"
                    .to_owned()
            }
            HubError::Unreachable { .. } | HubError::Cut { .. } => {
                "what was downloaded is kept; try again to resume".to_owned()
            }
            HubError::NoRepository { token: false, .. } => {
                "check the name; for a private repository set HF_TOKEN".to_owned()
            }
            HubError::NoRepository { .. } => {
                "check the name, and whether the token has access to it".to_owned()
            }
            HubError::NoRevision { .. } => {
                "allowed: a branch, a tag or a commit of the repository".to_owned()
            }
            HubError::Gated { page, token: false, .. } => format!(
                "accept the terms at {page}, create a token at https://huggingface.co/settings/tokens, and set \
                 HF_TOKEN to it (or `hf auth login`)"
            ),
            HubError::Gated { page, .. } => {
                format!("accept the terms at {page}; the authors may take a while to grant access")
            }
            HubError::Refused { token: true, .. } => {
                "the token in HF_TOKEN or the token file may have expired or lack access".to_owned()
            }
            HubError::Refused { .. } => "set HF_TOKEN to a token with access".to_owned(),
            HubError::Status { status: 429, .. } => "too many requests: try again later".to_owned(),
            HubError::Status { status: 500.., .. } => {
                "the hub has a problem: try again later; what was downloaded is kept".to_owned()
            }
            HubError::Nonsense { .. } => {
                "check HF_ENDPOINT; a network's login page or a proxy may also answer like this".to_owned()
            }
            HubError::WrongSize { .. } | HubError::WrongContent { .. } => {
                "the file was discarded; try again, without a proxy".to_owned()
            }
            HubError::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "the disk is full; what was downloaded is kept. Set HF_HOME to move the cache".to_owned()
            }
            HubError::Write { .. } => "set HF_HOME to move the cache".to_owned(),
            HubError::Unusable { reason, .. } => return reason.hint(),
            HubError::NoFile { .. } | HubError::Status { .. } | HubError::Certificates(_) => return None,
        })
    }

    /// Whether the same request may succeed shortly.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            HubError::Unreachable { source, .. } => !matches!(
                **source,
                ureq::Error::BadUri(_) | ureq::Error::HostNotFound | ureq::Error::InvalidProxyUrl
            ),
            HubError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            HubError::Cut { .. } => true,
            _ => false,
        }
    }
}
