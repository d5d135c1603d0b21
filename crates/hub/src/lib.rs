//! Models from the hub: which files of a repository a model needs, and downloading them into the cache that is shared
//! with Python's huggingface_hub and everything built on it, so that models are downloaded only once.
//!
//! ```text
//! ~/.cache/huggingface/hub/
//!   models--CompVis--stable-diffusion-v1-4/
//!     blobs/<etag>                              contents, once each; `<etag>.incomplete` until complete and checked
//!     snapshots/<commit>/unet/config.json       links into blobs (regular files where links do not work)
//!     refs/main                                 the commit of a branch or tag when it was last fetched
//!   .locks/models--…/<etag>.lock                locked while a blob is being written
//! ```
//!
//! The only crate that uses HTTP. Deliberately not here: printing, interpreting the files, other hubs.

#![forbid(unsafe_code)]

mod cache;
mod download;
mod environment;
mod error;
mod http;
mod info;
mod offer;
mod repository;
mod wanted;

pub use cache::Cache;
pub use download::DownloadProgress;
pub use environment::Environment;
pub use error::HubError;
pub use info::wanted_files;
pub use offer::{Hub, Offer, OfferedFile};
pub use repository::{Repository, RepositoryError};
pub use wanted::{Unusable, Wanted};
