//! The page of a run on disk: `index.html`, and in `page/` the app, the data and the thumbnails.
//!
//! Like sheets, these files need no lock: they can be written again at any time, and each is replaced atomically.

use crate::atomic::{write_unforced, write_unforced_with_time};
use crate::checked::FileState;
use crate::folders::folders;
use crate::spread::{is_subfolder, subfolder};
use crate::{Run, StoreError, lock, names};
use maquette_core::CellId;
use maquette_files::limits;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// How many digits of a cell's name a thumbnail has. No two of ten million cells share as many, except by an accident of
/// one in 370 000.
const DIGITS: usize = 16;

/// The folder with a folder for each size, relative to the run.
const FOLDER: &str = "page/thumbnails";

/// The thumbnails of one size in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thumbnails {
    /// Their longest edge in pixels, at most.
    pub edge: u32,
    /// Whether they lie in subfolders ([`crate::is_spread`]).
    pub spread: bool,
}

impl Thumbnails {
    /// Their folder, relative to the run.
    pub fn folder(self) -> String {
        format!("{FOLDER}/{}", self.edge)
    }

    /// The file of a cell's thumbnail, relative to the run.
    pub fn file(self, cell: &CellId) -> String {
        let Thumbnails { edge, spread } = self;
        let subfolder = if spread { format!("{}/", subfolder(cell)) } else { String::new() };
        format!("{FOLDER}/{edge}/{subfolder}{}.webp", digits(cell))
    }
}

/// The state of a file when it was read: its size and modification time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureState(FileState);

impl PictureState {
    /// `None` if there is no such file.
    pub fn of(path: &Path) -> Option<PictureState> {
        FileState::of(path).map(PictureState)
    }
}

impl Run {
    /// The path of the run's page.
    pub fn page(&self) -> PathBuf {
        self.dir().join("index.html")
    }

    /// Writes the run's page and returns its path.
    pub fn write_page(&self, html: &str) -> Result<PathBuf, StoreError> {
        write_if_changed(&self.page(), html.as_bytes())?;
        Ok(self.page())
    }

    /// Writes a file beside the page, such as `data.js`.
    pub fn write_page_file(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        write_if_changed(&names::plain(&self.dir().join("page"), name)?, bytes)
    }

    /// Whether the thumbnail of a cell was made from the picture in that state.
    ///
    /// A thumbnail has the modification time of its picture, so that a picture that was rendered again, edited or restored
    /// gets a new one.
    pub fn has_thumbnail(&self, of: Thumbnails, cell: &CellId, picture: PictureState) -> bool {
        let made = FileState::of(&self.dir().join(of.file(cell)));
        // A power failure leaves empty files.
        made.is_some_and(|made| made.bytes() > 0 && made.modified() == picture.0.modified())
    }

    /// Writes the thumbnail of a cell; `picture` is the state of the picture before it was read.
    pub fn write_thumbnail(
        &self,
        of: Thumbnails,
        cell: &CellId,
        picture: PictureState,
        webp: &[u8],
    ) -> Result<(), StoreError> {
        write_unforced_with_time(&self.dir().join(of.file(cell)), webp, picture.0.modified())
    }

    /// Removes the thumbnails of all other cells, sizes and places than these. Files that are not thumbnails are left alone.
    pub fn remove_other_thumbnails(&self, kept: &[Thumbnails], cells: &[CellId]) -> Result<(), StoreError> {
        let cells: HashSet<String> = cells.iter().map(digits).collect();
        for (cell, path) in thumbnails(self.dir()) {
            let is_kept = |of: &Thumbnails| {
                let folder = self.dir().join(of.folder());
                let subfolder = if of.spread { folder.join(&cell[..2]) } else { folder };
                path.parent() == Some(&subfolder)
            };
            if !cells.contains(&cell) || !kept.iter().any(is_kept) {
                std::fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Whether another process, or a writer of this one, renders into the run now.
    pub fn is_in_use(&self) -> bool {
        lock::has_writer(self.dir())
    }
}

/// Leaves a file alone that has these bytes already.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    match maquette_files::read(path, limits::RUN_FILE) {
        Ok(there) if there == bytes => Ok(()),
        _ => write_unforced(path, bytes),
    }
}

fn digits(cell: &CellId) -> String {
    let mut digits = cell.to_string();
    digits.truncate(DIGITS);
    digits
}

/// Every thumbnail in a run's folder, with the first 16 digits of its cell.
pub(crate) fn thumbnails(run: &Path) -> Vec<(String, PathBuf)> {
    let is_digits = |name: &str| {
        name.len() == DIGITS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut found = Vec::new();
    for folder in thumbnail_folders(run) {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            let name = entry.file_name();
            let cell = name.to_str().and_then(|name| name.strip_suffix(".webp"));
            found.extend(cell.filter(|cell| is_digits(cell)).map(|cell| (cell.to_owned(), entry.path())));
        }
    }
    found
}

/// The folders of the thumbnails, one for each size, and their subfolders.
pub(crate) fn thumbnail_folders(run: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (size, folder) in folders(&run.join(FOLDER)).unwrap_or_default() {
        if size.parse::<u32>().is_ok() {
            let inside = folders(&folder).unwrap_or_default();
            found.push(folder);
            found.extend(inside.into_iter().filter(|(name, _)| is_subfolder(name)).map(|(_, path)| path));
        }
    }
    found
}

/// The paths and names in a folder; none if there is no such folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let found = match std::fs::read_dir(folder) {
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        found => found.map_err(StoreError::io("read", folder))?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry.map_err(StoreError::io("read", folder))?;
        entries.push((entry.path(), entry.file_name().to_string_lossy().into_owned()));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_tests::{Folder, artists, finish};

    #[test]
    fn a_thumbnail_is_current_until_its_picture_changes() {
        let folder = Folder::new();
        let mut writer = folder.start(&artists());
        finish(&mut writer, 0);
        let run = writer.run().clone();
        let row = &run.log().unwrap()[0];
        let (cell, picture) = (row.cell(), run.dir().join(row.image().unwrap()));
        let state = PictureState::of(&picture).unwrap();
        let [small, large] = [160, 384].map(|edge| Thumbnails { edge, spread: false });
        assert!(!run.has_thumbnail(small, &cell, state));
        run.write_thumbnail(small, &cell, state, b"webp").unwrap();
        assert!(run.has_thumbnail(small, &cell, state) && !run.has_thumbnail(large, &cell, state));
        assert!(!run.has_thumbnail(Thumbnails { spread: true, ..small }, &cell, state));

        // Edited later, or an earlier picture was put back.
        let time = picture.metadata().unwrap().modified().unwrap();
        for other in [time + std::time::Duration::from_secs(5), time - std::time::Duration::from_secs(5)] {
            std::fs::File::options().write(true).open(&picture).unwrap().set_modified(other).unwrap();
            assert!(!run.has_thumbnail(small, &cell, PictureState::of(&picture).unwrap()));
        }
        std::fs::remove_file(&picture).unwrap();
        assert_eq!(PictureState::of(&picture), None);
    }

    #[test]
    fn thumbnails_of_other_cells_are_removed_and_nothing_else() {
        let folder = Folder::new();
        let mut writer = folder.start(&artists());
        finish(&mut writer, 0);
        finish(&mut writer, 1);
        let run = writer.run().clone();
        let cells: Vec<CellId> = run.log().unwrap().iter().map(crate::LogRow::cell).collect();
        let state = PictureState::of(&run.dir().join("log.csv")).unwrap();
        let all = [
            (160, 0, false),
            (160, 1, false),
            (384, 0, false),
            (384, 0, true),
            (384, 1, true),
            (99, 0, false),
        ];
        for (edge, cell, spread) in all {
            run.write_thumbnail(Thumbnails { edge, spread }, &cells[cell], state, b"webp").unwrap();
        }
        let mine = run.dir().join("page/thumbnails/160/mine.webp");
        std::fs::write(&mine, "").unwrap();
        let kept = [Thumbnails { edge: 160, spread: false }, Thumbnails { edge: 384, spread: true }];
        run.remove_other_thumbnails(&kept, &cells[..1]).unwrap();
        let left = all.map(|(edge, cell, spread)| {
            run.dir().join(Thumbnails { edge, spread }.file(&cells[cell])).exists()
        });
        assert_eq!(left, [true, false, false, true, false, false]);
        assert!(mine.exists());
        let without = folder.start(&crate::run_tests::other());
        without.run().remove_other_thumbnails(&[], &[]).unwrap();
    }

    #[test]
    fn a_run_is_in_use_while_it_has_a_writer() {
        let folder = Folder::new();
        let writer = folder.start(&artists());
        let run = writer.run().clone();
        assert!(run.is_in_use());
        drop(writer);
        assert!(!run.is_in_use());
        let shard =
            folder.runs.start("test", "", &artists(), &Folder::source(&artists()), "1/2".parse().ok());
        assert!(shard.is_ok() && run.is_in_use(), "a shard is a writer");
        drop(shard);
        std::fs::remove_file(run.dir().join(".lock")).unwrap();
        assert!(!run.is_in_use());
    }

    #[test]
    fn page_files_stay_in_the_page_folder_and_are_rewritten_only_if_they_change() {
        let folder = Folder::new();
        let run = folder.start(&artists()).run().clone();
        run.write_page_file("data.js", b"one").unwrap();
        let path = run.dir().join("page/data.js");
        let first = PictureState::of(&path);
        run.write_page_file("data.js", b"one").unwrap();
        assert_eq!(PictureState::of(&path), first);
        run.write_page_file("data.js", b"other").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"other");
        assert!(run.write_page_file("../log.csv", b"").is_err());
        assert_eq!(run.write_page("<p>").unwrap(), run.dir().join("index.html"));
    }
}
