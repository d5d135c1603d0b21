//! What can go wrong between here and a file in the cache: each says which file of which repository, and what to do.

use crate::Unusable;
use std::path::PathBuf;

/// The hub did not give what was asked for, or it could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// `HF_HUB_OFFLINE` is set.
    #[error("{0} is not in the cache, and HF_HUB_OFFLINE forbids to ask the hub for it")]
    Offline(String),
    /// No connection, or it broke, again and again.
    #[error("cannot get {url}")]
    Unreachable {
        /// The whole address.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// There is no such repository, or it is not for everybody.
    #[error("the hub at {endpoint} has no repository `{repository}`{}", if *token { "" } else { ", or not for everybody" })]
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
    /// The authors want their terms accepted first.
    #[error("`{repository}` is gated: {}", if *token { "this token's user has not been given access" } else { "the hub wants to know who asks" })]
    Gated {
        /// The repository's page.
        page: String,
        /// Which repository.
        repository: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The token is not accepted.
    #[error("the hub refused {url} with status {status}{}", said(.message))]
    Refused {
        /// The whole address.
        url: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token: bool,
        /// What the hub says.
        message: String,
    },
    /// Any other answer than the file.
    #[error("{url}: the hub answered with status {status}{}", said(.message))]
    Status {
        /// The whole address.
        url: String,
        /// The status.
        status: u16,
        /// What the hub says.
        message: String,
    },
    /// An answer that makes no sense.
    #[error("{url}: this is no answer of a hub: {reason}")]
    Nonsense {
        /// The whole address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection broke each time.
    #[error("{url}: the connection broke after {had} of {size} bytes")]
    Cut {
        /// The whole address.
        url: String,
        /// How many bytes are kept.
        had: u64,
        /// How many there should be.
        size: u64,
    },
    /// Another length than was announced.
    #[error("{url}: the hub announces {size} bytes and sends {found}")]
    WrongSize {
        /// The whole address.
        url: String,
        /// What was announced.
        size: u64,
        /// What came.
        found: u64,
    },
    /// Another content than was announced.
    #[error("{url}: its content is not what the hub announces: SHA-256 {found}, not {announced}")]
    WrongContent {
        /// The whole address.
        url: String,
        /// What was announced.
        announced: String,
        /// What came.
        found: String,
    },
    /// The cache cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The repository holds no model that can be used.
    #[error("`{repository}` {reason}")]
    Unusable {
        /// Which repository.
        repository: String,
        /// Why.
        reason: Unusable,
    },
    /// A certificate file that cannot be read.
    #[error("SSL_CERT_FILE: {} holds no certificates that can be read", .0.display())]
    Certificates(PathBuf),
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl HubError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            HubError::Offline(_) => {
                "unset HF_HUB_OFFLINE where there is a network, or fetch the model there and copy \
                                     the cache"
                    .to_owned()
            }
            HubError::Unreachable { .. } | HubError::Cut { .. } => {
                "what has arrived is kept; try again to go on from there".to_owned()
            }
            HubError::NoRepository { token: false, .. } => {
                "see whether the name is right; for a private repository set HF_TOKEN".to_owned()
            }
            HubError::NoRepository { .. } => {
                "see whether the name is right, and whether the token may read it".to_owned()
            }
            HubError::NoRevision { .. } => {
                "allowed: a branch, a tag or a commit of the repository".to_owned()
            }
            HubError::Gated { page, token: false, .. } => format!(
                "accept the terms at {page}, make a token at https://huggingface.co/settings/tokens, and set \
                 HF_TOKEN to it (or `hf auth login`)"
            ),
            HubError::Gated { page, .. } => {
                format!("accept the terms at {page}; authors may take a while to agree")
            }
            HubError::Refused { token: true, .. } => {
                "the token in HF_TOKEN or the token file may have expired, or may not read this".to_owned()
            }
            HubError::Refused { .. } => "set HF_TOKEN to a token that may read this".to_owned(),
            HubError::Status { status: 429, .. } => "the hub asks for patience: try again later".to_owned(),
            HubError::Status { status: 500.., .. } => {
                "the hub has trouble: try again later; what has arrived is kept".to_owned()
            }
            HubError::Nonsense { .. } => {
                "is HF_ENDPOINT right? A login page of a network or a proxy answers like this, too".to_owned()
            }
            HubError::WrongSize { .. } | HubError::WrongContent { .. } => {
                "nothing of it was kept; try again, without a proxy between".to_owned()
            }
            HubError::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "the disk is full; what has arrived is kept. HF_HOME moves the cache".to_owned()
            }
            HubError::Write { .. } => "HF_HOME moves the cache".to_owned(),
            HubError::Unusable { reason, .. } => return reason.hint(),
            HubError::NoFile { .. } | HubError::Status { .. } | HubError::Certificates(_) => return None,
        })
    }

    /// Whether the same request may succeed in a moment.
    pub(crate) fn passes(&self) -> bool {
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
