//! `.cells`: every finished picture once, named by its cell.

use crate::{StoreError, write_atomic};
use maquette_core::CellId;
use std::path::{Path, PathBuf};

/// The path of a cell's picture, whether it exists or not.
pub(crate) fn path(root: &Path, id: &CellId) -> PathBuf {
    let name = id.to_string();
    folder(root).join(&name[..2]).join(format!("{name}.png"))
}

/// The folder of all cells.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join(".cells")
}

/// Writes a finished picture and returns its path.
pub(crate) fn keep(root: &Path, id: &CellId, png: &[u8]) -> Result<PathBuf, StoreError> {
    let path = path(root, id);
    write_atomic(&path, png)?;
    Ok(path)
}
