//! What a worker has seen of a block: which of its chunks are free, and which are held by others.

use crate::Chunk;
use crate::chunks::BLOCK;
use crate::keys::Name;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

/// A block as it was when it was last listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// The chunks that can be claimed, with the number that a claim needs.
    pub free: BTreeMap<Chunk, u32>,
    /// The chunks that are held by others.
    held: HashMap<Chunk, Seen>,
    /// Something is in it since that is not seen here: a chunk that another worker claimed, or one that this worker let go.
    pub stale: bool,
}

/// What a worker knows of a chunk besides its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Nothing,
    /// There is nothing to do in it.
    Ended,
    /// This worker holds it.
    Mine,
    /// This worker has just given it back, for others to take.
    LeftToOthers,
}

/// The claim of another worker, as it was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    number: u32,
    /// When this number was first seen, by the own clock.
    since: Duration,
}

/// What a listing says about one chunk.
#[derive(Default, Clone, Copy)]
struct Listed {
    number: u32,
    given_back: bool,
    ended: bool,
}

/// Reads the names of the objects of some chunks.
fn read_names(chunks: &Range<Chunk>, names: &[String]) -> Vec<Listed> {
    let mut listed = vec![Listed::default(); chunks.len()];
    let at = |chunk: Chunk| chunks.contains(&chunk).then(|| (chunk - chunks.start) as usize);
    let names = || names.iter().filter_map(|name| Name::read(name));
    for name in names() {
        match name {
            Name::Claimed(chunk, number) => {
                at(chunk).into_iter().for_each(|at| listed[at].number = number.max(listed[at].number));
            }
            Name::Ended(chunk) => at(chunk).into_iter().for_each(|at| listed[at].ended = true),
            Name::GivenBack(..) => {}
        }
    }
    // Numbers are known now: only the highest one of a chunk can have been given back.
    for name in names() {
        if let Name::GivenBack(chunk, number) = name
            && let Some(at) = at(chunk)
            && listed[at].number == number
        {
            listed[at].given_back = true;
        }
    }
    listed
}

/// How a chunk that was claimed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// A worker holds it.
    Held,
    /// Every cell of it has a row.
    Ended,
}

/// The chunks of a block that are held or have ended, from the names below `claims/<block>/`: the key of the object in which
/// the worker has its name, and how the chunk stands.
pub fn claim_states(block: u32, names: &[String]) -> Vec<(Chunk, String, ClaimState)> {
    let chunks = block * BLOCK..(block + 1) * BLOCK;
    let listed = read_names(&chunks, names);
    let state = |(chunk, listed): (Chunk, Listed)| match listed {
        Listed { ended: true, .. } => Some((chunk, Name::Ended(chunk).key(), ClaimState::Ended)),
        Listed { number: 0, .. } | Listed { given_back: true, .. } => None,
        Listed { number, .. } => Some((chunk, Name::Claimed(chunk, number).key(), ClaimState::Held)),
    };
    chunks.zip(listed).filter_map(state).collect()
}

impl View {
    /// Takes the listing of a block. A claim of another worker has expired if its number is the same as a lease ago.
    pub fn list(
        &mut self,
        chunks: Range<Chunk>,
        names: &[String],
        known: &dyn Fn(Chunk) -> Known,
        now: Duration,
        lease: Duration,
    ) {
        let listed = read_names(&chunks, names);
        let before = std::mem::take(&mut self.held);
        self.free.clear();
        self.stale = false;
        for (chunk, Listed { number, given_back, ended: has_ended }) in chunks.zip(listed) {
            let known = known(chunk);
            if has_ended || matches!(known, Known::Ended | Known::Mine) {
                continue;
            }
            let seen = match before.get(&chunk) {
                Some(seen) if seen.number == number => *seen,
                _ => Seen { number, since: now },
            };
            let expired = now.saturating_sub(seen.since) >= lease;
            if known == Known::Nothing && (number == 0 || given_back || expired) {
                self.free.insert(chunk, number + 1);
            }
            // An expired claim is remembered: another listing may come before it is taken over.
            if known == Known::LeftToOthers || (number > 0 && !given_back) {
                self.held.insert(chunk, seen);
            }
        }
    }

    /// Whether every chunk but this worker's own has ended.
    pub fn is_done(&self) -> bool {
        !self.stale && self.free.is_empty() && self.held.is_empty()
    }

    /// A chunk was claimed, by this worker or, as a failed claim says, by another.
    pub fn taken(&mut self, chunk: Chunk, by_another: bool) {
        self.free.remove(&chunk);
        self.held.remove(&chunk);
        self.stale |= by_another;
    }
}
