//! Finds what no run uses any more: pictures of cells, drafts and thumbnails that were replaced, temporary files.
//!
//! Only files that this crate or the page's writer made are listed, by their places and names. Whatever cannot be told with
//! certainty is kept, and a note says why. Nothing is removed here: see `clean.rs`.

use crate::folders::folders;
use crate::links::Links;
use crate::page_files::thumbnails;
use crate::run_parts::{is_being_removed, parts, run_folders};
use crate::{LogRow, Run, Runs, Status, StoreError, cells, lock, plan_file};
use maquette_core::{CellId, Digest};
use maquette_files::limits;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What can be removed, with remarks on what was kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unused {
    /// Files, and folders of runs, by kind and path.
    pub files: Vec<UnusedFile>,
    /// The bytes that removing all of them frees: a file with two names counts once, and only if both are removed.
    pub bytes: u64,
    /// Why something was kept, each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// One file that can be removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnusedFile {
    /// What it is.
    pub kind: UnusedKind,
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What a file is that can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnusedKind {
    /// A file of a run that is removed.
    Run,
    /// The picture of a cell that is in no run.
    Cell,
    /// A draft whose final picture is there.
    Draft,
    /// A thumbnail of a cell that has no picture in its run.
    Thumbnail,
    /// A temporary file of a process that was killed.
    Temporary,
}

/// How old a temporary file is at least, in seconds, before it counts as left behind.
const STALE: u64 = 3600;

/// How temporary files begin, see `atomic.rs`.
const TEMPORARY: &str = ".writing-";

/// What is not to be removed.
#[derive(Default)]
struct Used {
    /// Cells of finished rows, of drafts that are still shown, and cells that a run in progress may reuse or render.
    cells: HashSet<CellId>,
    /// Why cells that no log has cannot be told from used ones.
    unknown: Vec<String>,
}

impl Runs {
    /// What no run uses any more. `now` is the time in seconds since 1970: recent temporary files are not left behind.
    ///
    /// Cells in any `picks.toml` are kept, and so are the cells that an unfinished newest run may reuse. Runs that are being
    /// rendered are left out.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if a folder or a log cannot be read.
    pub fn unused(&self, now: u64) -> Result<Unused, StoreError> {
        let (mut unused, mut used) = (Unused::default(), Used::default());
        let runs = run_folders(self.root())?;
        for run in &runs {
            look_through(run, is_newest(run, &runs), now, &mut unused, &mut used)?;
        }
        for (_, folder) in folders(self.root())? {
            temporary(&folder, now, &mut unused.files);
            // Left behind by a process that was killed while it started a run.
            let starting = folder.join(".starting");
            if starting.is_dir() && is_stale(&starting, now) {
                each_file(&starting, &mut |path| push(&mut unused.files, UnusedKind::Temporary, path));
            }
            for (_, remains) in folders(&folder)?.into_iter().filter(|(_, folder)| is_being_removed(folder)) {
                for (part, _) in parts(&remains)?.into_iter().filter(|(_, known)| *known) {
                    each_file(&part, &mut |path| push(&mut unused.files, UnusedKind::Temporary, path));
                }
            }
        }
        temporary(self.root(), now, &mut unused.files);
        // Trained weights are never listed: they take longest to make, and `maquette train` makes them before any run.
        each_file(&self.trained(), &mut |path| temporary_file(path, now, &mut unused.files));
        self.unused_cells(now, None, &mut unused, used)?;
        unused.settle();
        Ok(unused)
    }

    /// What removing a run frees: its files, and the cells that no other run uses.
    pub fn unused_without(&self, run: &Run, now: u64) -> Result<Unused, StoreError> {
        let (mut unused, mut used) = (Unused::default(), Used::default());
        let run = self.own(&run.to_string())?;
        let mine: HashSet<CellId> = run.log()?.iter().chain(&run.draft_rows()?).map(LogRow::cell).collect();
        let others = run_folders(self.root())?;
        for other in others.iter().filter(|other| other.dir() != run.dir()) {
            look_through(other, is_newest(other, &others), now, &mut Unused::default(), &mut used)?;
        }
        for (part, known) in parts(run.dir())? {
            match known {
                true => each_file(&part, &mut |path| push(&mut unused.files, UnusedKind::Run, path)),
                false => {
                    unused.notes.push(format!("`{}` is not part of a run, so it is kept", part.display()));
                }
            }
        }
        // The run's own picks go with it.
        self.unused_cells(now, Some((&run, &mine)), &mut unused, used)?;
        unused.settle();
        Ok(unused)
    }

    /// Adds the cells in `.cells` that nothing uses; with a run, only its own cells.
    fn unused_cells(
        &self,
        now: u64,
        only: Option<(&Run, &HashSet<CellId>)>,
        unused: &mut Unused,
        mut used: Used,
    ) -> Result<(), StoreError> {
        let root = cells::folder(self.root());
        used.cells.extend(self.picked(only.map(|(run, _)| run))?);
        let mut removed = Links::default();
        unused.files.iter().for_each(|file| removed.add(&file.path));
        let mut kept = 0;
        for (_, folder) in folders(&root)? {
            if only.is_none() {
                temporary(&folder, now, &mut unused.files);
            }
            for path in files(&folder) {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let Some(cell) = name.strip_suffix(".png").and_then(|name| name.parse::<Digest>().ok())
                else {
                    continue;
                };
                let cell = CellId(cell);
                let asked = only.is_none_or(|(_, mine)| mine.contains(&cell));
                // A file with a link elsewhere, as in a run that was moved out of the folder, is still used.
                if !asked || used.cells.contains(&cell) || removed.others(&path) > 1 {
                    continue;
                }
                match used.unknown.is_empty() {
                    true => push(&mut unused.files, UnusedKind::Cell, path),
                    false => kept += 1,
                }
            }
        }
        if kept > 0 {
            unused.notes.extend(used.unknown.into_iter().map(|why| format!("{why}; unused cells are kept")));
        }
        Ok(())
    }

    /// The cells that any `picks.toml` names, also one of a folder that is not a run any more.
    ///
    /// Their names are looked for in the text, so that an entry with a mistake counts as well.
    fn picked(&self, except: Option<&Run>) -> Result<HashSet<CellId>, StoreError> {
        let mut picked = HashSet::new();
        let mut read = |folder: &Path| -> Result<(), StoreError> {
            let path = folder.join("picks.toml");
            match maquette_files::read(&path, limits::PICKS) {
                Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound) => Ok(()),
                Err(error) => Err(StoreError::io("read", &path)(error)),
                Ok(text) => {
                    let digits = text.split(|byte| !byte.is_ascii_hexdigit()).filter(|word| word.len() == 64);
                    let names = digits.filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok());
                    picked.extend(names.map(CellId));
                    Ok(())
                }
            }
        };
        for (_, folder) in folders(self.root())? {
            read(&folder)?;
            for (_, folder) in folders(&folder)? {
                if except.is_none_or(|run| run.dir() != folder) {
                    read(&folder)?;
                }
            }
        }
        Ok(picked)
    }
}

/// Adds what one run uses, and its own files that are not used any more.
fn look_through(
    run: &Run,
    newest: bool,
    now: u64,
    unused: &mut Unused,
    used: &mut Used,
) -> Result<(), StoreError> {
    let log = run.read_log()?;
    let drafts = run.draft_rows()?;
    let done: HashSet<CellId> =
        log.rows.iter().filter(|row| row.status() == Status::Done).map(LogRow::cell).collect();
    used.cells.extend(&done);
    for row in &log.damaged {
        match row.cell {
            Some(cell) => _ = used.cells.insert(cell),
            None => used.unknown.push(format!("{row}, so its cell is unknown")),
        }
    }
    let shown = |row: &&LogRow| row.final_cell().is_some_and(|cell| !done.contains(&cell));
    used.cells.extend(drafts.iter().filter(shown).map(LogRow::cell));
    let in_progress = lock::is_held(&run.dir().join(".lock"));
    if in_progress || newest {
        match plan_file::read(run.dir()).map(|(_, plan)| plan) {
            Ok(plan) if done.len() < plan.len() => {
                used.cells.extend((0..plan.len()).filter_map(|index| plan.id(index).ok()));
            }
            Ok(_) => {}
            // It cannot be resumed; the cells of its log are known.
            Err(error) if in_progress => used.unknown.push(error.to_string()),
            Err(_) => {}
        }
    }
    if in_progress {
        unused.notes.push(format!("`{run}` is being rendered, so its files are kept"));
        return Ok(());
    }
    let images = |keep: bool| -> HashSet<&str> {
        drafts.iter().filter(|row| shown(row) == keep).filter_map(LogRow::image).collect()
    };
    let (kept, replaced) = (images(true), images(false));
    for image in replaced.difference(&kept).filter(|image| image.starts_with("drafts/")) {
        // A link out of the folder is not followed, least of all to remove something.
        if let Ok(path) = run.picture(image) {
            push(&mut unused.files, UnusedKind::Draft, path);
        }
    }
    let finals = drafts.iter().filter_map(LogRow::final_cell);
    let shown: HashSet<String> =
        done.iter().copied().chain(finals).map(|cell| cell.to_string()[..16].to_owned()).collect();
    for (cell, path) in thumbnails(run.dir()) {
        if !shown.contains(&cell) {
            push(&mut unused.files, UnusedKind::Thumbnail, path);
        }
    }
    each_file(run.dir(), &mut |path| temporary_file(path, now, &mut unused.files));
    Ok(())
}

/// Whether a run is the newest of its name: an unchanged experiment resumes it.
fn is_newest(run: &Run, runs: &[Run]) -> bool {
    runs.iter().filter(|other| other.name == run.name).max() == Some(run)
}

impl Unused {
    pub(crate) fn settle(&mut self) {
        self.files.sort();
        self.files.dedup_by(|one, other| one.path == other.path);
        let mut removed = Links::default();
        self.files.iter().for_each(|file| removed.add(&file.path));
        self.bytes = removed.freed();
    }
}

fn push(files: &mut Vec<UnusedFile>, kind: UnusedKind, path: PathBuf) {
    // A link to elsewhere is removed as a link, but none is ever listed.
    if let Ok(found) = path.symlink_metadata().map(|found| found.len()) {
        files.push(UnusedFile { kind, path, bytes: found });
    }
}

/// Adds the temporary files in a folder that were left behind, not those in folders inside it.
fn temporary(folder: &Path, now: u64, found: &mut Vec<UnusedFile>) {
    files(folder).into_iter().for_each(|path| temporary_file(path, now, found));
}

fn temporary_file(path: PathBuf, now: u64, found: &mut Vec<UnusedFile>) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with(TEMPORARY) && is_stale(&path, now) {
        push(found, UnusedKind::Temporary, path);
    }
}

fn is_stale(path: &Path, now: u64) -> bool {
    let changed = path.symlink_metadata().and_then(|found| found.modified()).ok();
    let changed = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
    changed.is_some_and(|changed| changed.as_secs() + STALE <= now)
}

/// The files in a folder; links are left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .collect()
}

/// Every file at a path: itself, or those in the folder at any depth; links are left out.
pub(crate) fn each_file(path: &Path, found: &mut dyn FnMut(PathBuf)) {
    let Ok(kind) = path.symlink_metadata().map(|found| found.file_type()) else { return };
    if kind.is_file() {
        found(path.to_owned());
    } else if kind.is_dir() {
        path.read_dir().into_iter().flatten().flatten().for_each(|entry| each_file(&entry.path(), found));
    }
}
