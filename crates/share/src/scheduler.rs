//! The decisions of one worker: which chunk to claim next, what to list, when to wait, what to renew.
//!
//! Pure: listings, outcomes and the time go in, the next request comes out.

use crate::chunks::block_of;
use crate::random::Random;
use crate::view::{Known, View};
use crate::{Chunk, Chunks};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A claim is renewed when this part of the lease has passed: three renewals may fail before it expires.
const RENEWALS: u32 = 4;

/// A worker that waits makes at least this many requests in a lease.
const LOOKS: u32 = 32;

/// It does not wait longer than this from one to the next.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How many of those requests there are for each that asks which blocks have ended.
const LOOKS_PER_OVERVIEW: u32 = 8;

/// A worker begins no further cell of a chunk that it has held for this many leases.
const LONGEST: u32 = 2;

/// For this part of a lease a worker does not claim what it gave back because it is slow.
const PRECEDENCE: u32 = 8;

/// After so many listings without anything free it is worth asking which blocks have ended.
const BARREN: u32 = 4;

/// The next request of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// List which blocks have ended, and call [`Scheduler::blocks_listed`].
    ListBlocks,
    /// List the claims of a block, and call [`Scheduler::listed`].
    List(u32),
    /// Mark a block as ended; no answer is needed.
    MarkBlock(u32),
    /// Claim a chunk with a number, and call [`Scheduler::claimed`].
    Claim(Chunk, u32),
    /// Nothing is free: ask again after this time.
    Wait(Duration),
    /// Every chunk has ended, except those that this worker holds.
    Ended,
}

/// What one worker knows and holds.
#[derive(Debug)]
pub struct Scheduler {
    chunks: Chunks,
    lease: Duration,
    random: Random,
    /// Chunks in which there was nothing to do from the start.
    done: BTreeSet<Chunk>,
    /// The blocks that have not ended.
    open: BTreeSet<u32>,
    /// The open blocks that were never listed.
    unlisted: BTreeSet<u32>,
    /// The open blocks that were listed.
    views: BTreeMap<u32, View>,
    /// Blocks to mark as ended.
    to_mark: Vec<u32>,
    knows_blocks: bool,
    /// How many listings without anything free there were since it was last listed which blocks have ended.
    barren: u32,
    /// The chunks that this worker holds.
    held: BTreeMap<Chunk, Held>,
    /// Chunks that were held for too long, and until when others have precedence.
    left_to_others: BTreeMap<Chunk, Duration>,
    /// The chunk that was claimed last.
    last: Option<Chunk>,
    /// When to make the next request while waiting, the number of such requests, and the block that was looked at last.
    waiting: (Duration, u32, u32),
}

/// A claim of this worker.
#[derive(Debug, Clone, Copy)]
struct Held {
    number: u32,
    /// When that number was created.
    renewed: Duration,
    /// When the chunk was claimed.
    since: Duration,
}

impl Scheduler {
    /// A worker that holds nothing. In the chunks `done` there is nothing to do. The lease is the time after which a claim that
    /// is not renewed may be taken over; it must be the same for every worker.
    pub fn new(chunks: Chunks, done: BTreeSet<Chunk>, lease: Duration, seed: u64) -> Scheduler {
        let is_open = |block: &u32| chunks.block(*block).any(|chunk| !done.contains(&chunk));
        let open: BTreeSet<u32> = (0..chunks.blocks()).filter(is_open).collect();
        Scheduler {
            unlisted: open.clone(),
            open,
            chunks,
            lease,
            random: Random(seed),
            done,
            views: BTreeMap::new(),
            to_mark: Vec::new(),
            knows_blocks: false,
            barren: 0,
            held: BTreeMap::new(),
            left_to_others: BTreeMap::new(),
            last: None,
            waiting: (Duration::ZERO, 0, 0),
        }
    }

    /// The next request.
    pub fn next(&mut self, now: Duration) -> Step {
        if let Some(block) = self.to_mark.pop() {
            return Step::MarkBlock(block);
        }
        if self.open.is_empty() {
            return Step::Ended;
        }
        if !self.knows_blocks && self.open.len() > 1 {
            return Step::ListBlocks;
        }
        if let Some(step) = self.in_block_of_last() {
            return step;
        }
        if let Some((block, _)) = self.views.iter().find(|(_, view)| !view.free.is_empty()) {
            return self.in_block(*block);
        }
        if self.barren >= BARREN && !self.unlisted.is_empty() {
            return Step::ListBlocks;
        }
        let group = self.last.and_then(|chunk| self.chunks.group(chunk));
        if let Some(block) = self.unlisted_block(group) {
            return Step::List(block);
        }
        self.look_again(now)
    }

    /// Takes the marks of blocks that have ended: their names below `blocks/`.
    pub fn blocks_listed(&mut self, names: &[String]) {
        (self.knows_blocks, self.barren) = (true, 0);
        for block in names.iter().filter_map(|name| name.parse().ok()) {
            self.close(block);
        }
    }

    /// Takes the listing of a block: the names below `claims/<block>/`.
    pub fn listed(&mut self, block: u32, names: &[String], now: Duration) {
        if !self.open.contains(&block) {
            return;
        }
        self.unlisted.remove(&block);
        let (done, held, left, chunks) =
            (&self.done, &self.held, &self.left_to_others, self.chunks.block(block));
        let known = |chunk| match () {
            () if done.contains(&chunk) => Known::Ended,
            () if held.contains_key(&chunk) => Known::Mine,
            () if left.get(&chunk).is_some_and(|until| now < *until) => Known::LeftToOthers,
            () => Known::Nothing,
        };
        let view = self.views.entry(block).or_default();
        view.list(chunks, names, &known, now, self.lease);
        self.barren += u32::from(view.free.is_empty());
        if view.is_done() && self.holds_none_of(block) {
            self.close(block);
            self.to_mark.push(block);
        }
    }

    /// Takes the outcome of a claim: whether the number was created by this worker. `now` is a time before the request.
    pub fn claimed(&mut self, chunk: Chunk, number: u32, won: bool, now: Duration) {
        if let Some(view) = self.views.get_mut(&block_of(chunk)) {
            view.taken(chunk, !won);
        }
        if won {
            self.held.insert(chunk, Held { number, renewed: now, since: now });
            self.last = Some(chunk);
        }
    }

    /// The claims to renew now: a chunk and the number to create, for [`Scheduler::renewed`].
    pub fn due(&self, now: Duration) -> Vec<(Chunk, u32)> {
        let due = |held: &Held| now.saturating_sub(held.renewed) >= self.lease / RENEWALS;
        let due = self.held.iter().filter(|(_, held)| due(held));
        due.map(|(chunk, held)| (*chunk, held.number + 1)).collect()
    }

    /// Takes the outcome of a renewal. If another worker created the number, the chunk is not held any more. `now` is a time
    /// before the request.
    pub fn renewed(&mut self, chunk: Chunk, number: u32, won: bool, now: Duration) {
        match self.held.get_mut(&chunk) {
            Some(held) if won => (held.number, held.renewed) = (number, now),
            _ => drop(self.let_go(chunk)),
        }
    }

    /// A chunk has ended: its mark exists. Returns whether it was held.
    pub fn ended(&mut self, chunk: Chunk) -> bool {
        self.done.insert(chunk);
        let was_held = self.held.remove(&chunk).is_some();
        let block = block_of(chunk);
        if self.views.get(&block).is_some_and(View::is_done) && self.holds_none_of(block) {
            self.close(block);
            self.to_mark.push(block);
        }
        was_held
    }

    /// Lets go of a chunk, and returns the number by which it was held.
    pub fn give_back(&mut self, chunk: Chunk) -> Option<u32> {
        self.let_go(chunk).map(|held| held.number)
    }

    /// Whether this worker holds a chunk, as far as it knows.
    pub fn holds(&self, chunk: Chunk) -> bool {
        self.held.contains_key(&chunk)
    }

    /// Gives others precedence for a chunk that is going to be given back.
    pub fn leave_to_others(&mut self, chunk: Chunk, now: Duration) {
        self.left_to_others.retain(|_, until| now < *until);
        self.left_to_others.insert(chunk, now + self.lease / PRECEDENCE);
    }

    /// Whether a chunk has been held for so long that the rest of it should be left to others: a slow worker must not keep
    /// everyone waiting at the end.
    pub fn is_overdue(&self, chunk: Chunk, now: Duration) -> bool {
        self.held.get(&chunk).is_some_and(|held| now.saturating_sub(held.since) >= self.lease * LONGEST)
    }

    /// The chunks that this worker holds.
    pub fn held(&self) -> Vec<Chunk> {
        self.held.keys().copied().collect()
    }

    /// The lease.
    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// The time between two requests while nothing is free, which is also often enough to look for claims to renew.
    pub fn pause(&self) -> Duration {
        (self.lease / LOOKS).min(LONGEST_PAUSE)
    }

    /// Goes on after the last chunk, or nearby.
    fn in_block_of_last(&mut self) -> Option<Step> {
        let last = self.last?;
        let block = block_of(last);
        let view = self.views.get(&block)?;
        (!view.free.is_empty()).then(|| self.in_block(block))
    }

    /// A free chunk of a block: the one after the last, or a random one of its group, or any; lists the block again if what
    /// is known of it is old.
    fn in_block(&mut self, block: u32) -> Step {
        let Some(view) = self.views.get(&block).filter(|view| !view.stale) else { return Step::List(block) };
        let next = self.last.map(|last| last + 1);
        let group = self.last.and_then(|last| self.chunks.group(last));
        let number = next.and_then(|next| view.free.get(&next));
        if let (Some(next), Some(number)) = (next, number)
            && self.chunks.group(next) == group
        {
            return Step::Claim(next, *number);
        }
        let near: Vec<_> =
            view.free.iter().filter(|(chunk, _)| self.chunks.group(**chunk) == group).collect();
        let any: Vec<_> = if near.is_empty() { view.free.iter().collect() } else { near };
        let (chunk, number) = any[self.random.below(any.len())];
        Step::Claim(*chunk, *number)
    }

    /// A random block that was never listed, of that group if there is one.
    fn unlisted_block(&mut self, group: Option<u32>) -> Option<u32> {
        let of_group = |block: &&u32| {
            let chunks = self.chunks.block(**block);
            group.is_some()
                && (self.chunks.group(chunks.start) == group || self.chunks.group(chunks.end - 1) == group)
        };
        let near: Vec<u32> = self.unlisted.iter().filter(of_group).copied().collect();
        let any: Vec<u32> = if near.is_empty() { self.unlisted.iter().copied().collect() } else { near };
        if any.is_empty() { None } else { Some(any[self.random.below(any.len())]) }
    }

    /// One open block after the other, not too often: something may have been given back, expired or ended.
    fn look_again(&mut self, now: Duration) -> Step {
        let (next, looks, last) = self.waiting;
        if now < next {
            return Step::Wait(next - now);
        }
        if looks > 0 && looks % LOOKS_PER_OVERVIEW == 0 && self.open.len() > 1 {
            self.waiting = (next, looks + 1, last);
            return Step::ListBlocks;
        }
        // The first block after the last one; each worker begins elsewhere.
        let from =
            if looks == 0 { self.random.below(self.chunks.blocks() as usize) as u32 } else { last + 1 };
        let block = self.open.range(from..).next().or_else(|| self.open.first()).copied().unwrap_or_default();
        self.waiting = (now + self.pause(), looks + 1, block);
        Step::List(block)
    }

    /// The view of the block left this chunk out when it was claimed. Until the block is listed again, it has not ended.
    fn let_go(&mut self, chunk: Chunk) -> Option<Held> {
        if let Some(view) = self.views.get_mut(&block_of(chunk)) {
            view.stale = true;
        }
        self.held.remove(&chunk)
    }

    fn holds_none_of(&self, block: u32) -> bool {
        self.held.range(self.chunks.block(block)).next().is_none()
    }

    fn close(&mut self, block: u32) {
        self.open.remove(&block);
        self.unlisted.remove(&block);
        self.views.remove(&block);
    }
}
