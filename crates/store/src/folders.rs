//! The folders in a folder.

use crate::StoreError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folders in a folder that are not hidden, with their names; links are not followed.
pub(crate) fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io("read", folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("read", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}
