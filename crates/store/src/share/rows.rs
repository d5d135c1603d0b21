//! The rows of a run's sessions that are not in `log.csv` yet: a file for each, with the header of the log.

use super::objects::{FolderObjects, sessions};
use crate::StoreError;
use crate::folders::folders;
use crate::log::{DamagedRow, LogRow, parse, refuse_newer};
use maquette_files::limits;
use std::path::{Path, PathBuf};

/// Every row of the sessions of a run, in the order of chunks and cells. An empty file is a row that is being written.
pub(crate) fn read_rows(run: &Path) -> Result<(Vec<LogRow>, Vec<DamagedRow>), StoreError> {
    let (mut rows, mut damaged) = (Vec::new(), Vec::new());
    for path in row_files(run)? {
        let bytes = match maquette_files::read(&path, limits::LOG) {
            // Folded meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            bytes => bytes.map_err(StoreError::io("read", &path))?,
        };
        let (some, wrong) = parse(&path, &bytes, &|| None);
        refuse_newer(&path, &some)?;
        rows.extend(some);
        damaged.extend(wrong);
    }
    Ok((rows, damaged))
}

/// The files of rows: `rows/<block>/<chunk>/<cell>.csv` in each session.
pub(crate) fn row_files(run: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    for session in sessions(run)? {
        for (_, block) in numbered(&FolderObjects::of(run, session).path("rows"))? {
            for (_, chunk) in numbered(&block)? {
                let mut cells = Vec::new();
                for entry in std::fs::read_dir(&chunk).into_iter().flatten() {
                    let path = entry.map_err(StoreError::io("read", &chunk))?.path();
                    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                    cells.extend(
                        (!hidden && path.extension().is_some_and(|csv| csv == "csv")).then_some(path),
                    );
                }
                cells.sort();
                files.extend(cells);
            }
        }
    }
    Ok(files)
}

/// The folders in a folder that are named by numbers, ascending.
pub(crate) fn numbered(folder: &Path) -> Result<Vec<(u32, PathBuf)>, StoreError> {
    let named = folders(folder)?.into_iter();
    let mut numbered: Vec<_> = named.filter_map(|(name, path)| Some((name.parse().ok()?, path))).collect();
    numbered.sort();
    Ok(numbered)
}
