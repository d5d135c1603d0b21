//! Where the backend's cells come from.

use crate::ExecuteError;
use crate::pass::{Pass, Queue};
use maquette_core::Cell;

/// Gives one cell after the other.
pub(crate) trait Source {
    /// The next cell; `None` if there is none now.
    fn next(&mut self) -> Result<Option<Cell>, ExecuteError>;

    /// How many cells are left that the backend should have pulled.
    fn left(&self) -> usize;

    /// Whether the cells are drafts.
    fn are_drafts(&self) -> bool;
}

/// The cells of a pass that are left to do, those with a better rank first.
pub(crate) struct PassSource<'a> {
    pub pass: Pass<'a>,
    pub queue: Queue,
}

impl Source for PassSource<'_> {
    fn next(&mut self) -> Result<Option<Cell>, ExecuteError> {
        if let Some(ranks) = (self.pass.ranks)() {
            self.queue.rank(&ranks);
        }
        match self.queue.pull() {
            Some(number) => Ok(Some((self.pass.cell)(number)?)),
            None => Ok(None),
        }
    }

    fn left(&self) -> usize {
        self.queue.len()
    }

    fn are_drafts(&self) -> bool {
        self.pass.drafts
    }
}
