//! Where the targets write their inputs.

use std::path::PathBuf;

/// A folder of this thread that the targets write their inputs into, made once.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Writes a file, with the folders above it, and returns its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&path)).expect("the folder can be made");
        std::fs::write(&path, bytes).expect("the file can be written");
        path
    }
}
