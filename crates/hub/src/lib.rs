//! Models from the hub: which files of a repository a model needs, and getting them into the cache that Python's
//! huggingface_hub and everything built on it share, so that each finds what the other has downloaded.
//!
//! ```text
//! ~/.cache/huggingface/hub/
//!   models--CompVis--stable-diffusion-v1-4/
//!     blobs/<etag>                              contents, once each; `<etag>.incomplete` until whole and checked
//!     snapshots/<commit>/unet/config.json       links into blobs (files of their own where links do not work)
//!     refs/main                                 the commit that a branch or tag stood for when it was last asked for
//!   .locks/models--…/<etag>.lock                held while a blob is being written
//! ```
//!
//! The only crate that speaks HTTP. Deliberately not here: printing, what the files mean, any other hub.

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
pub use offer::{Hub, Offer, OfferedFile};
pub use repository::{Repository, RepositoryError};
pub use wanted::{Unusable, Wanted};
