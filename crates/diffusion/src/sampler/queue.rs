//! Cells that have not started: in the order given, then those that are retried.

use crate::sampler::retry_f32::RetryInF32;
use maquette_core::Cell;

/// Cells that have not started.
pub(super) struct Queue<'a> {
    cells: &'a mut dyn Iterator<Item = Cell>,
    /// A cell that was pulled but cannot share a call with those in progress.
    waiting: Option<Cell>,
    pub retry: RetryInF32,
}

impl Queue<'_> {
    pub fn new(cells: &mut dyn Iterator<Item = Cell>) -> Queue<'_> {
        Queue { cells, waiting: None, retry: RetryInF32::default() }
    }

    /// The next cell to start. Pulls from the caller only if no cell is waiting.
    pub fn next(&mut self) -> Option<Cell> {
        self.waiting.take().or_else(|| self.cells.next()).or_else(|| self.retry.next())
    }

    /// Puts back the cell that was just taken.
    pub fn put_back(&mut self, cell: Cell) {
        self.waiting = Some(cell);
    }
}
