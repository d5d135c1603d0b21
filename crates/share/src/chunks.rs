//! Chunks: what is claimed at once. Every worker cuts the same cells into the same chunks.

use crate::Chunk;
use std::ops::Range;
use std::sync::Arc;

/// The most cells of a chunk. A claim and its end then cost less than a request per cell.
pub const LARGEST_CHUNK: usize = 8;

/// Runs with fewer cells than this many largest chunks have smaller chunks, so that there is something to share until the end.
const CHUNKS_WANTED: usize = 256;

/// How many chunks one listing covers: their claims, renewals and ends fit into a page of an object store (1,000 keys).
pub(crate) const BLOCK: u32 = 256;

/// The chunks of a run's cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunks {
    /// Where each chunk begins among the cells, and the number of cells.
    bounds: Arc<[u32]>,
    /// The group of each chunk.
    groups: Arc<[u32]>,
}

impl Chunks {
    /// Cuts cells into chunks. `groups` has the group of each cell; cells of one group lie together and share a model.
    /// No chunk has cells of two groups.
    pub fn cut(groups: &[u32]) -> Chunks {
        let most = (groups.len() / CHUNKS_WANTED).clamp(1, LARGEST_CHUNK);
        let (mut bounds, mut of_chunks) = (Vec::new(), Vec::new());
        let mut size = 0;
        for (at, group) in groups.iter().enumerate() {
            if size == most || of_chunks.last() != Some(group) {
                bounds.push(at as u32);
                of_chunks.push(*group);
                size = 0;
            }
            size += 1;
        }
        bounds.push(groups.len() as u32);
        Chunks { bounds: bounds.into(), groups: of_chunks.into() }
    }

    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The positions of a chunk's cells; empty if there is no such chunk.
    pub fn cells(&self, chunk: Chunk) -> Range<usize> {
        let bound = |at: usize| self.bounds.get(at).map_or(0, |bound| *bound as usize);
        let at = chunk as usize;
        if at < self.len() { bound(at)..bound(at + 1) } else { 0..0 }
    }

    /// The group of a chunk.
    pub(crate) fn group(&self, chunk: Chunk) -> Option<u32> {
        self.groups.get(chunk as usize).copied()
    }

    /// The number of blocks.
    pub(crate) fn blocks(&self) -> u32 {
        (self.len() as u32).div_ceil(BLOCK)
    }

    /// The chunks of a block.
    pub(crate) fn block(&self, block: u32) -> Range<Chunk> {
        block * BLOCK..((block + 1) * BLOCK).min(self.len() as u32)
    }
}

/// The block of a chunk.
pub(crate) fn block_of(chunk: Chunk) -> u32 {
    chunk / BLOCK
}
