//! One pass over the cells of a run: all of the plan's cells, or drafts of them first.

use maquette_core::{Cell, CellId, Plan, SettingError};
use std::collections::HashMap;

/// What to render, and in which order.
pub struct Pass<'a> {
    /// The distinct cells of this share, in the plan's order: a number for each, and its name.
    pub cells: Vec<(usize, CellId)>,
    /// The cell with a number.
    pub cell: Box<dyn Fn(usize) -> Result<Cell, SettingError> + 'a>,
    /// Asked before each cell: which cells come first and which last, if that has changed. Cells that it does not have are
    /// ordinary. The order changes no picture.
    pub ranks: Box<dyn FnMut() -> Option<Ranks> + 'a>,
    /// Whether the cells are drafts. They are not measured: decoding has a larger share of their time.
    pub drafts: bool,
}

/// The cells that are not rendered in the plan's order.
pub type Ranks = HashMap<CellId, Rank>;

/// When a cell is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Before the ordinary ones.
    First,
    /// In the plan's order.
    Ordinary,
    /// After the ordinary ones.
    Last,
}

impl<'a> Pass<'a> {
    /// The cells of a plan in its order.
    pub fn over(plan: &'a Plan, cells: Vec<(usize, CellId)>) -> Pass<'a> {
        let cell = Box::new(move |number| plan.cell(number));
        Pass { cells, cell, ranks: Box::new(|| None), drafts: false }
    }
}

/// The cells that are left, in the order of rendering.
pub(crate) struct Queue {
    /// The number of each cell, and its name.
    cells: Vec<(usize, CellId)>,
    /// Which of them are next, the last one first.
    next: Vec<usize>,
}

impl Queue {
    /// A queue of cells in the given order.
    pub fn new(cells: Vec<(usize, CellId)>) -> Queue {
        let next = (0..cells.len()).rev().collect();
        Queue { cells, next }
    }

    /// Orders what is left by rank; cells of one rank are in the original order.
    pub fn rank(&mut self, ranks: &Ranks) {
        let rank = |at: usize| ranks.get(&self.cells[at].1).copied().unwrap_or(Rank::Ordinary);
        self.next.sort_by_key(|&at| std::cmp::Reverse((rank(at), at)));
    }

    /// Takes the number of the next cell.
    pub fn pull(&mut self) -> Option<usize> {
        self.next.pop().map(|at| self.cells[at].0)
    }

    /// How many cells are left.
    pub fn len(&self) -> usize {
        self.next.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_core::Digest;

    #[test]
    fn ranks_can_change_at_any_time() {
        let id = |number: usize| CellId(Digest::of(&[number as u8]));
        let mut queue = Queue::new((0..6).map(|number| (number, id(number))).collect());
        let ranks =
            |ranks: &[(usize, Rank)]| ranks.iter().map(|&(number, rank)| (id(number), rank)).collect();
        let mut pulled = vec![queue.pull().unwrap()];
        queue.rank(&ranks(&[(4, Rank::First), (1, Rank::Last), (0, Rank::First)]));
        pulled.push(queue.pull().unwrap());
        queue.rank(&ranks(&[(5, Rank::First), (3, Rank::Last)]));
        assert_eq!(queue.len(), 4);
        pulled.extend(std::iter::from_fn(|| queue.pull()));
        assert_eq!(pulled, [0, 4, 5, 1, 2, 3]);
    }
}
