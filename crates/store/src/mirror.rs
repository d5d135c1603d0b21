//! A bucket that has a folder here.

use maquette_bucket::Bucket;
use tempfile::TempDir;

/// A bucket, and the folder for copies of its objects.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub bucket: Bucket,
    /// Removed with this.
    pub _folder: TempDir,
}
