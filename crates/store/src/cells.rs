//! `.cells`: every finished picture once, named by what it is.

use crate::{StoreError, write_atomic};
use maquette_core::CellId;
use std::path::{Path, PathBuf};

/// Where a cell's picture lies, whether it is there or not.
pub(crate) fn path(root: &Path, id: &CellId) -> PathBuf {
    let name = id.to_string();
    root.join(".cells").join(&name[..2]).join(format!("{name}.png"))
}

/// Keeps a finished picture; where it lies.
pub(crate) fn keep(root: &Path, id: &CellId, png: &[u8]) -> Result<PathBuf, StoreError> {
    let path = path(root, id);
    write_atomic(&path, png)?;
    Ok(path)
}
