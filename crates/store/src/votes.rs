//! `votes.csv`: the votes between two cells, in the order in which they were cast.

use crate::fields::Fields;
use crate::log::DamagedRow;
use crate::log_scan::{Record, record, scan};
use crate::picks::{not_in_run, revision};
use crate::{Run, StoreError, write_atomic};
use maquette_core::{CellId, Choice, Vote};
use maquette_files::limits;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

const FILE: &str = "votes.csv";

const COLUMNS: [&str; 3] = ["left", "right", "choice"];

/// The votes of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Votes {
    /// Changes whenever the file does; below 2^48.
    pub revision: u64,
    /// Every vote, in the order in which they were cast; also those with cells that are not in the run.
    pub votes: Vec<Vote>,
    /// What in the file cannot be used, each a sentence without its full stop. It stays in the file.
    pub problems: Vec<String>,
}

/// The bytes of the file, taken apart.
struct Parsed {
    votes: Vec<(Range<usize>, Vote)>,
    damaged: Vec<DamagedRow>,
    /// Where the next row goes: after it there is at most a row that was torn by a crash.
    end: usize,
    /// Whether a line break is missing at `end`, as some editors leave it out.
    unfinished: bool,
    /// Whether there is a torn row after `end`.
    torn: bool,
}

impl Run {
    /// The votes of this run; none if there is no file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] for a file with other columns. Damaged rows are in [`Votes::problems`].
    pub fn votes(&self) -> Result<Votes, StoreError> {
        let path = self.votes_path();
        let bytes = read(&path)?;
        let Parsed { votes, damaged, torn, .. } = parse(&path, &bytes)?;
        let votes: Vec<Vote> = votes.into_iter().map(|(_, vote)| vote).collect();
        let cells: BTreeSet<CellId> = votes.iter().flat_map(|vote| [vote.left, vote.right]).collect();
        let cells: Vec<CellId> = cells.into_iter().collect();
        let gone: BTreeSet<CellId> = self.cells_not_in_run(&cells)?.into_iter().collect();
        let mut problems: Vec<String> = damaged.iter().map(DamagedRow::to_string).collect();
        problems.extend(torn.then(|| {
            format!("the last row of {FILE} is incomplete and does not count; the next vote replaces it")
        }));
        problems.extend(not_in_run(self, &path, gone.iter(), cells.len() - gone.len()));
        Ok(Votes { revision: revision(&bytes), votes, problems })
    }

    /// Adds a vote. Two processes that vote at once lose nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoCell`] for a cell that is not in the run; [`StoreError::Damaged`] for a file with other columns.
    pub fn add_vote(&self, vote: &Vote) -> Result<(), StoreError> {
        let _lock = self.lock_picks()?;
        let unknown = self.cells_not_in_run(&[vote.left, vote.right])?;
        if let Some(&cell) = [vote.left, vote.right].iter().find(|cell| unknown.contains(cell)) {
            return Err(StoreError::NoCell { cell, run: self.to_string() });
        }
        let path = self.votes_path();
        let Parsed { end, unfinished, .. } = parse(&path, &read(&path)?)?;
        let mut row = String::new();
        if end == 0 {
            row += &format!("{}\n", COLUMNS.join(","));
        } else if unfinished {
            row.push('\n');
        }
        row += &format!("{},{},{}\n", vote.left, vote.right, vote.choice);
        append(&path, end as u64, row.as_bytes())
    }

    /// Removes the last vote and returns it; `None` if there is none.
    pub fn remove_last_vote(&self) -> Result<Option<Vote>, StoreError> {
        let _lock = self.lock_picks()?;
        let path = self.votes_path();
        let mut bytes = read(&path)?;
        let Some((place, vote)) = parse(&path, &bytes)?.votes.pop() else { return Ok(None) };
        bytes.drain(place);
        write_atomic(&path, &bytes)?;
        Ok(Some(vote))
    }

    fn votes_path(&self) -> PathBuf {
        self.dir().join(FILE)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    match maquette_files::read(path, limits::VOTES) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(StoreError::io("read", path)),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Parsed, StoreError> {
    // Spreadsheets begin a file with a byte order mark.
    let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let from = match record(&bytes[bom..]) {
        Record::Whole(names, length) if names.iter().eq(COLUMNS) => bom + length,
        // A header torn by a crash: there are no rows.
        Record::Torn if COLUMNS.join(",").as_bytes().starts_with(&bytes[bom..]) => {
            let torn = !bytes.is_empty();
            return Ok(Parsed { votes: vec![], damaged: vec![], end: 0, unfinished: false, torn });
        }
        _ => {
            let allowed = COLUMNS.join(",");
            let problem = format!(
                "has other columns, perhaps those of a newer version of maquette; allowed: `{allowed}`"
            );
            return Err(StoreError::damaged(path, problem));
        }
    };
    let (mut votes, mut damaged) = (Vec::new(), Vec::new());
    let mut end = scan(bytes, from, &vote, &mut |piece| match piece.fields {
        Ok((_, vote)) => votes.push((piece.bytes, vote)),
        Err(problem) => damaged.push(DamagedRow::of(path, bytes, &piece.bytes, problem)),
    });
    // No choice begins with another one, so a last row without its line break is whole if its choice is.
    let last = [&bytes[end..], b"\n"].concat();
    let unfinished = match record(&last) {
        Record::Whole(fields, length) if length == last.len() => vote(&fields).ok(),
        _ => None,
    };
    if let Some(vote) = unfinished {
        votes.push((end..bytes.len(), vote));
        end = bytes.len();
    }
    let torn = bytes[end..].iter().any(|byte| !byte.is_ascii_whitespace());
    Ok(Parsed { votes, damaged, end, unfinished: unfinished.is_some(), torn })
}

/// The vote of a row, or the problem, as the rest of a sentence about its line.
fn vote(fields: &Fields) -> Result<Vote, String> {
    let &[left, right, choice] = &fields.iter().collect::<Vec<_>>()[..] else {
        return Err(format!("has {} fields; allowed: {}", fields.len(), COLUMNS.len()));
    };
    let cell = |text: &str| text.parse().map(CellId).map_err(|_| "has no valid cell name".to_owned());
    let (left, right) = (cell(left)?, cell(right)?);
    let choice = choice.parse::<Choice>().map_err(|error| {
        format!("has the choice `{}`; allowed: {}", error.value.escape_debug(), error.allowed)
    })?;
    Ok(Vote { left, right, choice })
}

/// Writes a row at the end of the votes, over a torn one.
fn append(path: &Path, end: u64, row: &[u8]) -> Result<(), StoreError> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    let mut file = options.open(path).map_err(StoreError::io("write", path))?;
    let written =
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).and_then(|_| file.write_all(row));
    written.map_err(|error| {
        // Remove the partial row; if this fails, the next writer cuts it off.
        let _ = file.set_len(end);
        StoreError::io("write", path)(error)
    })
}
