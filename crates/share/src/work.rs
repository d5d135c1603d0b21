//! The cells of the chunks that a worker holds: which are to be begun, and which chunks end or are given back.

use crate::Chunk;
use std::collections::{BTreeMap, VecDeque};

/// The cells that a worker has claimed.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Cells that were not begun, by their positions.
    queue: VecDeque<(Chunk, usize)>,
    chunks: BTreeMap<Chunk, Left>,
}

/// What is left of a chunk.
#[derive(Debug, Default)]
struct Left {
    unbegun: usize,
    begun: usize,
    /// Its cells that were not begun are left to others.
    dropped: bool,
}

/// What to do with a chunk of which no cell is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Every cell of it has a row.
    End(Chunk),
    /// It is to be given back.
    GiveBack(Chunk),
}

impl Work {
    /// Adds the cells that are to be done of a chunk.
    pub fn add(&mut self, chunk: Chunk, cells: &[usize]) -> Option<Settled> {
        self.queue.extend(cells.iter().map(|cell| (chunk, *cell)));
        self.chunks.insert(chunk, Left { unbegun: cells.len(), ..Left::default() });
        self.settle(chunk)
    }

    /// The chunk of the next cell.
    pub fn next_chunk(&self) -> Option<Chunk> {
        self.queue.front().map(|(chunk, _)| *chunk)
    }

    /// Begins the next cell.
    pub fn begin(&mut self) -> Option<(Chunk, usize)> {
        let (chunk, cell) = self.queue.pop_front()?;
        let left = self.chunks.get_mut(&chunk)?;
        (left.unbegun, left.begun) = (left.unbegun - 1, left.begun + 1);
        Some((chunk, cell))
    }

    /// A cell of a chunk has its row.
    pub fn recorded(&mut self, chunk: Chunk) -> Option<Settled> {
        if let Some(left) = self.chunks.get_mut(&chunk) {
            left.begun = left.begun.saturating_sub(1);
        }
        self.settle(chunk)
    }

    /// Leaves the cells of a chunk that were not begun to others.
    pub fn drop_rest(&mut self, chunk: Chunk) -> Option<Settled> {
        self.queue.retain(|(of, _)| *of != chunk);
        let left = self.chunks.get_mut(&chunk)?;
        left.dropped |= left.unbegun > 0;
        left.unbegun = 0;
        self.settle(chunk)
    }

    /// How many cells were not begun.
    pub fn unbegun(&self) -> usize {
        self.queue.len()
    }

    fn settle(&mut self, chunk: Chunk) -> Option<Settled> {
        let left = self.chunks.get(&chunk).filter(|left| left.unbegun == 0 && left.begun == 0)?;
        let settled = if left.dropped { Settled::GiveBack(chunk) } else { Settled::End(chunk) };
        self.chunks.remove(&chunk);
        Some(settled)
    }
}
