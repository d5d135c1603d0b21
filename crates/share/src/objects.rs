//! The store of small objects that workers share.

/// A store of small objects by key, such as a folder or a bucket. Keys are paths with `/`.
///
/// [`Objects::create`] is all that workers agree by: of several that create the same key, exactly one succeeds. Listings may be
/// some time behind.
pub trait Objects {
    /// Why a request failed.
    type Error;

    /// Creates an object; false, and nothing is changed, if there is one with that key.
    fn create(&self, key: &str, content: &[u8]) -> Result<bool, Self::Error>;

    /// Whether there is an object with that key.
    fn exists(&self, key: &str) -> Result<bool, Self::Error>;

    /// The objects whose keys begin with `prefix`, which ends with `/`: the rest of each key, in any order.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Self::Error>;
}
