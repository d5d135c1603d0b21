//! `picks.toml`: the marks and notes of a run's cells.
//!
//! People edit the file by hand, so that a change keeps everything else in it: comments, keys and cells that this version
//! does not know, and entries that it cannot read.

use crate::{Run, StoreError, lock, write_atomic};
use maquette_core::{CellId, Digest, Mark, OptionError, Pick};
use maquette_files::limits;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

const FILE: &str = "picks.toml";

/// The version of the file, and its key. Files without it have the first one.
const FORMAT: u32 = 1;
const FORMAT_KEY: &str = "format";

/// Held while `picks.toml` or `votes.csv` is changed.
const LOCK: &str = "picks.lock";

/// The picks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picks {
    /// Changes whenever the file does; below 2^48, so that every reader of JSON keeps it exactly.
    pub revision: u64,
    /// The marked cells and those with a note, of the cells that are in the run.
    pub cells: BTreeMap<CellId, Pick>,
    /// Those that are in the file, but not in the run: the experiment has changed, or the file is another run's.
    pub gone: BTreeMap<CellId, Pick>,
    /// What in the file cannot be used, each a sentence without its full stop. It stays in the file.
    pub problems: Vec<String>,
}

/// A change to the entry of a cell. The outer `None` leaves a field as it is, the inner one removes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PickChange {
    /// The mark.
    pub mark: Option<Option<Mark>>,
    /// The note.
    pub note: Option<Option<String>>,
}

impl Picks {
    /// The cells with that mark.
    pub fn marked(&self, mark: Mark) -> impl Iterator<Item = CellId> {
        self.cells.iter().filter(move |(_, pick)| pick.mark == Some(mark)).map(|(cell, _)| *cell)
    }
}

impl Run {
    /// The picks of this run; none if nothing was picked.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] for a file that is not TOML. Single entries that cannot be read are in
    /// [`Picks::problems`].
    pub fn picks(&self) -> Result<Picks, StoreError> {
        let path = self.picks_path();
        let text = read(&path)?;
        let document = parse(&text, &path)?;
        let (found, mut problems) = entries(&document);
        let ids: Vec<CellId> = found.keys().copied().collect();
        let unknown = self.cells_not_in_run(&ids)?;
        let (gone, cells): (BTreeMap<_, _>, BTreeMap<_, _>) =
            found.into_iter().partition(|(cell, _)| unknown.contains(cell));
        problems.extend(not_in_run(self, &path, gone.keys(), cells.len()));
        Ok(Picks { revision: revision(text.as_bytes()), cells, gone, problems })
    }

    /// Changes the entry of a cell and returns it as it is now. Two processes that change the file at once lose nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] for a file that is not TOML, which is left as it is; [`StoreError::NoCell`] for a cell that
    /// is neither in the run nor in the file.
    pub fn update_pick(&self, cell: CellId, change: &PickChange) -> Result<Pick, StoreError> {
        let path = self.picks_path();
        let _lock = self.lock_picks()?;
        let before = read(&path)?;
        let mut document = parse(&before, &path)?;
        if !entries(&document).0.contains_key(&cell) && !self.cells_not_in_run(&[cell])?.is_empty() {
            return Err(StoreError::NoCell { cell, run: self.to_string() });
        }
        if before.trim().is_empty() {
            document[FORMAT_KEY] = toml_edit::value(i64::from(FORMAT));
        }
        let pick = apply(&mut document, &cell.to_string(), change)
            .ok_or_else(|| StoreError::damaged(&path, "has `cells` that is not a table"))?;
        let header = match before.trim() {
            "" => format!("# Picks of {self}. Written by `maquette review` and by the run's page.\n"),
            _ => String::new(),
        };
        write_atomic(&path, format!("{header}{document}").as_bytes())?;
        Ok(pick)
    }

    fn picks_path(&self) -> PathBuf {
        self.dir().join(FILE)
    }

    /// Waits for the lock under which picks and votes are changed.
    pub(crate) fn lock_picks(&self) -> Result<std::fs::File, StoreError> {
        lock::wait(&self.dir().join(LOCK))
    }

    /// Those of some cells that are neither in this run's log nor in its plan.
    pub(crate) fn cells_not_in_run(&self, cells: &[CellId]) -> Result<HashSet<CellId>, StoreError> {
        let mut unknown: HashSet<CellId> = cells.iter().copied().collect();
        if unknown.is_empty() {
            return Ok(unknown);
        }
        for row in self.log()? {
            unknown.remove(&row.cell());
        }
        if !unknown.is_empty() {
            let plan = self.plan()?;
            for id in (0..plan.len()).filter_map(|index| plan.id(index).ok()) {
                unknown.remove(&id);
                if unknown.is_empty() {
                    break;
                }
            }
        }
        Ok(unknown)
    }
}

/// What to say about cells of a file that are not in the run; `others` of its cells are.
pub(crate) fn not_in_run<'a>(
    run: &Run,
    path: &Path,
    gone: impl ExactSizeIterator<Item = &'a CellId>,
    others: usize,
) -> Option<String> {
    let (file, count) = (path.file_name().unwrap_or_default().to_string_lossy(), gone.len());
    let cells = if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
    let some: Vec<String> = gone.take(3).map(CellId::short).collect();
    let more = if count > some.len() { ", …" } else { "" };
    let names = format!("{}{more}", some.join(", "));
    match (count, others) {
        (0, _) => None,
        (_, 0) => Some(format!(
            "{file} names {cells}, none of which is in {run}: it seems to belong to another run ({names})"
        )),
        _ => Some(format!("{file} names {cells} not in {run}; kept in the file ({names})")),
    }
}

/// A number that changes with the content of a file.
pub(crate) fn revision(bytes: &[u8]) -> u64 {
    let digest = Digest::of(bytes);
    digest.as_bytes()[..6].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn read(path: &Path) -> Result<String, StoreError> {
    match maquette_files::read(path, limits::PICKS) {
        Ok(bytes) => {
            String::from_utf8(bytes).map_err(|_| StoreError::damaged(path, "is not TOML: it is not UTF-8"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

fn parse(text: &str, path: &Path) -> Result<DocumentMut, StoreError> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
        let line = line.map_or(String::new(), |line| format!(", line {line}"));
        StoreError::damaged(path, format!("is not TOML{line}: {}", error.message()))
    })?;
    match document.get(FORMAT_KEY).and_then(Item::as_integer) {
        Some(format) if format > FORMAT.into() => Err(StoreError::newer(path, format.unsigned_abs(), FORMAT)),
        _ => Ok(document),
    }
}

/// The entries that can be read, and the problems with the others.
fn entries(document: &DocumentMut) -> (BTreeMap<CellId, Pick>, Vec<String>) {
    let (mut found, mut problems) = (BTreeMap::new(), Vec::new());
    let cells = match document.get("cells") {
        None => return (found, problems),
        Some(item) => match item.as_table_like() {
            Some(cells) => cells,
            None => return (found, vec![format!("`cells` in {FILE} is not a table")]),
        },
    };
    for (name, item) in cells.iter() {
        let Ok(digest) = name.parse::<Digest>() else {
            problems.push(format!(
                "`{name}` in {FILE} is not the name of a cell; allowed: 64 hexadecimal digits"
            ));
            continue;
        };
        let Some(entry) = item.as_table_like() else {
            problems.push(format!("the cell {} in {FILE} is not a table", digest.short()));
            continue;
        };
        let pick = entry_of(entry, &digest, &mut problems);
        if pick != Pick::default() {
            found.insert(CellId(digest), pick);
        }
    }
    (found, problems)
}

fn entry_of(entry: &dyn TableLike, cell: &Digest, problems: &mut Vec<String>) -> Pick {
    let mut text = |key: &str| {
        let item = entry.get(key)?;
        let text = item.as_str().map(str::to_owned);
        if text.is_none() {
            problems.push(format!("`{key}` of the cell {} in {FILE} is not text", cell.short()));
        }
        text
    };
    let (mark, note) = (text("mark"), text("note"));
    let mark = mark.filter(|mark| !mark.is_empty()).and_then(|mark| match mark.parse::<Mark>() {
        Ok(mark) => Some(mark),
        Err(OptionError { value, allowed }) => {
            let cell = cell.short();
            problems.push(format!("the mark of the cell {cell} in {FILE} is `{value}`; allowed: {allowed}"));
            None
        }
    });
    Pick { mark, note: note.filter(|note| !note.is_empty()) }
}

/// Changes one entry of the document, and returns it; `None` if `cells` is not a table.
fn apply(document: &mut DocumentMut, name: &str, change: &PickChange) -> Option<Pick> {
    let cells = document.entry("cells").or_insert_with(|| {
        let mut cells = Table::new();
        // Only the headers of the cells are written.
        cells.set_implicit(true);
        Item::Table(cells)
    });
    let inline = cells.is_inline_table();
    let cells = cells.as_table_like_mut()?;
    // The name may be written with capital letters, also twice. Of several entries the last one with a pick counts; the
    // others must not come back when that one is removed.
    let written: Vec<String> =
        cells.iter().map(|(key, _)| key.to_owned()).filter(|key| key.eq_ignore_ascii_case(name)).collect();
    let has_pick = |key: &&String| {
        let entry = cells.get(key).and_then(Item::as_table_like);
        entry.is_some_and(|entry| entry_of(entry, &Digest::of(&[]), &mut Vec::new()) != Pick::default())
    };
    let counts = written.iter().rev().find(has_pick).or(written.last());
    let name = counts.map_or(name, String::as_str).to_owned();
    let others: Vec<&String> = written.iter().filter(|other| **other != name).filter(has_pick).collect();
    for other in others {
        let Some(entry) = cells.get_mut(other).and_then(Item::as_table_like_mut) else { continue };
        entry.remove("mark");
        entry.remove("note");
        if entry.is_empty() {
            cells.remove(other);
        }
    }
    if !cells.get(&name).is_some_and(Item::is_table_like) {
        let new = if inline {
            Item::Value(Value::InlineTable(Default::default()))
        } else {
            Item::Table(Table::new())
        };
        cells.insert(&name, new);
    }
    let entry = cells.get_mut(&name)?.as_table_like_mut()?;
    let mark = change.mark.map(|mark| mark.map(|mark| mark.as_str().to_owned()));
    for (key, value) in [("mark", mark), ("note", change.note.clone())] {
        match value {
            None => {}
            Some(Some(text)) if !text.is_empty() => set(entry, key, &text),
            Some(_) => _ = entry.remove(key),
        }
    }
    let pick = entry_of(entry, &Digest::of(&[]), &mut Vec::new());
    if entry.is_empty() {
        cells.remove(&name);
    }
    Some(pick)
}

/// Sets a key; the comments around its old value stay.
fn set(entry: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = Value::from(text);
    match entry.get_mut(key) {
        Some(item) => {
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => _ = entry.insert(key, Item::Value(value)),
    }
}
