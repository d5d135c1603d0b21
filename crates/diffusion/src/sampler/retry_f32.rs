//! Cells that are rendered again because their precision overflowed.

use maquette_core::{Cell, CellId, Dtype, Remarks};
use std::collections::{HashMap, VecDeque};

/// Cells whose pictures contain NaN or infinity, in f32 now: retried last, so the model is reloaded only once.
#[derive(Default)]
pub(super) struct RetryInF32 {
    cells: VecDeque<Cell>,
    /// The precision that overflowed, and the seconds spent on it.
    lost: HashMap<CellId, (Dtype, f64)>,
}

impl RetryInF32 {
    /// Takes a cell whose first attempt took `seconds`. Returns a warning.
    pub fn take(&mut self, mut cell: Cell, seconds: f64) -> String {
        let dtype = std::mem::replace(&mut cell.settings.dtype, Dtype::F32);
        self.lost.insert(cell.id, (dtype, seconds));
        self.cells.push_back(cell);
        format!("{dtype} overflowed; the cell is retried in f32 after all others")
    }

    /// The next cell to retry.
    pub fn next(&mut self) -> Option<Cell> {
        self.cells.pop_front()
    }

    /// The seconds and the remarks of a finished cell, including those of the attempt that overflowed.
    pub fn add_to(&mut self, cell: CellId, seconds: f64, remarks: Remarks) -> (f64, Remarks) {
        let Some((dtype, lost)) = self.lost.remove(&cell) else { return (seconds, remarks) };
        let note = Some(format!("{dtype} overflowed, so it was rendered again in f32"));
        (seconds + lost, Remarks { note, ..remarks })
    }
}
