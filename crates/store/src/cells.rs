//! `.cells`: every finished picture once, named by its cell.

use crate::StoreError;
use crate::atomic::write_unforced;
use maquette_core::{CellId, Digest};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// From this number of cells on, listing all pictures takes less time than looking for each.
pub(crate) const MANY: usize = 10_000;

/// The path of a cell's picture, whether it exists or not.
pub(crate) fn path(root: &Path, id: &CellId) -> PathBuf {
    let name = id.to_string();
    folder(root).join(&name[..2]).join(format!("{name}.png"))
}

/// The folder of all cells.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join(".cells")
}

/// Every cell that has a picture. A folder that cannot be read has none.
pub(crate) fn list(root: &Path) -> HashSet<CellId> {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    let pictures = entries(&folder(root)).flat_map(|folder| entries(&folder.path()));
    let files = pictures.filter(|picture| picture.file_type().is_ok_and(|kind| !kind.is_dir()));
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    names.filter_map(|name| Some(CellId(name.strip_suffix(".png")?.parse::<Digest>().ok()?))).collect()
}

/// Writes a finished picture and returns its path. It has to be forced to the disk before a row relies on it.
pub(crate) fn keep(root: &Path, id: &CellId, png: &[u8]) -> Result<PathBuf, StoreError> {
    let path = path(root, id);
    write_unforced(&path, png)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pictures_are_listed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(list(root.path()), HashSet::new(), "before the first run");
        let ids: Vec<CellId> = (0..600u32).map(|n| CellId(Digest::of(&n.to_le_bytes()))).collect();
        for id in &ids[1..] {
            keep(root.path(), id, b"a picture").unwrap();
        }
        std::fs::create_dir_all(path(root.path(), &ids[0])).unwrap();
        std::fs::write(path(root.path(), &ids[1]).with_extension("tmp"), "no picture").unwrap();
        assert_eq!(list(root.path()), ids[1..].iter().copied().collect());
    }
}
