//! A worker's part in a session: carries out the scheduler's decisions over a store of objects.

use crate::keys::{BLOCKS, FINISH, FINISHED, Name, block_key, claims_prefix, finish_key, rows_prefix};
use crate::work::{Settled, Work};
use crate::{Chunk, Objects, Scheduler, Step};
use std::time::Duration;

/// One worker in a session. Every time is by the worker's own monotonic clock.
#[derive(Debug)]
pub struct Session<O> {
    objects: O,
    scheduler: Scheduler,
    work: Work,
    /// The content of claims: who made them.
    worker: Vec<u8>,
    /// The number of the last claim on finishing, and since when it was seen.
    finishing: (u32, Duration),
}

/// What a worker does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// It holds one more chunk. These cells of it have rows: the name of each.
    Chunk(Chunk, Vec<String>),
    /// Nothing is free: ask again after this time.
    Nothing(Duration),
    /// Every chunk has ended.
    Ended,
    /// The session is over: what would be done now is done already.
    Over,
}

/// Who draws sheets and page and folds the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// This worker.
    Mine,
    /// Another one; ask again after this time whether it is still alive.
    Another(Duration),
    /// It is done.
    Over,
}

impl<O: Objects> Session<O> {
    /// Joins a session. `worker` is written into claims, for people.
    pub fn join(objects: O, scheduler: Scheduler, worker: &str) -> Session<O> {
        let (work, worker, finishing) = (Work::default(), worker.as_bytes().to_vec(), (0, Duration::ZERO));
        Session { objects, scheduler, work, worker, finishing }
    }

    /// The store.
    pub fn objects(&self) -> &O {
        &self.objects
    }

    /// Claims the next chunk. Call [`Session::add`] with those of its cells that are to be done.
    pub fn take(&mut self, now: Duration) -> Result<Take, O::Error> {
        loop {
            match self.scheduler.next(now) {
                Step::ListBlocks => self.scheduler.blocks_listed(&self.objects.list(BLOCKS)?),
                Step::List(block) => {
                    let names = self.objects.list(&claims_prefix(block))?;
                    self.scheduler.listed(block, &names, now);
                }
                Step::MarkBlock(block) => drop(self.objects.create(&block_key(block), &self.worker)?),
                Step::Wait(time) => return Ok(Take::Nothing(time)),
                Step::Ended => return Ok(Take::Ended),
                Step::Claim(chunk, number) => {
                    let won = self.objects.create(&Name::Claimed(chunk, number).key(), &self.worker)?;
                    self.scheduler.claimed(chunk, number, won, now);
                    if won {
                        return self.taken(chunk, number);
                    }
                }
            }
        }
    }

    /// After the end of a session its claims are removed, so a claim that succeeds may be void.
    fn taken(&mut self, chunk: Chunk, number: u32) -> Result<Take, O::Error> {
        if self.objects.exists(FINISHED)? {
            self.scheduler.give_back(chunk);
            return Ok(Take::Over);
        }
        let rows = match number {
            1 => Vec::new(),
            _ => self.objects.list(&rows_prefix(chunk))?,
        };
        let cell = |name: String| Some(name.strip_suffix(".csv")?.to_owned());
        Ok(Take::Chunk(chunk, rows.into_iter().filter_map(cell).collect()))
    }

    /// Renews the claims that are due. Returns the chunks that other workers have taken over.
    pub fn renew(&mut self, now: Duration) -> Result<Vec<Chunk>, O::Error> {
        let mut lost = Vec::new();
        for (chunk, number) in self.scheduler.due(now) {
            let won = self.objects.create(&Name::Claimed(chunk, number).key(), &self.worker)?;
            self.scheduler.renewed(chunk, number, won, now);
            if !won {
                lost.push(chunk);
            }
        }
        Ok(lost)
    }

    /// Adds the cells of a claimed chunk that are to be done, by their positions; the others have rows.
    pub fn add(&mut self, chunk: Chunk, cells: &[usize]) -> Result<(), O::Error> {
        let settled = self.work.add(chunk, cells);
        self.settle(settled)
    }

    /// Begins the next cell of the claimed chunks; `None` if a chunk is to be claimed first. Cells of chunks that other workers
    /// have taken over are left out, and so is the rest of a chunk that was held for too long.
    pub fn begin(&mut self, now: Duration) -> Result<Option<(Chunk, usize)>, O::Error> {
        while let Some(chunk) = self.work.next_chunk() {
            if self.scheduler.holds(chunk) && !self.scheduler.is_overdue(chunk, now) {
                return Ok(self.work.begin());
            }
            self.scheduler.leave_to_others(chunk, now);
            let settled = self.work.drop_rest(chunk);
            self.settle(settled)?;
        }
        Ok(None)
    }

    /// A cell of a chunk that was begun has its row.
    pub fn recorded(&mut self, chunk: Chunk) -> Result<(), O::Error> {
        let settled = self.work.recorded(chunk);
        self.settle(settled)
    }

    /// Begins nothing more: gives chunks back of which no cell is in progress, and the others when their cells have rows.
    pub fn stop(&mut self) -> Result<(), O::Error> {
        while let Some(chunk) = self.work.next_chunk() {
            let settled = self.work.drop_rest(chunk);
            self.settle(settled)?;
        }
        Ok(())
    }

    /// Gives everything back, also chunks whose cells were begun: nothing is in progress any more.
    pub fn leave(&mut self) -> Result<(), O::Error> {
        self.work = Work::default();
        self.scheduler.held().into_iter().try_for_each(|chunk| self.give_back(chunk))
    }

    /// How many cells of the claimed chunks were not begun.
    pub fn unbegun(&self) -> usize {
        self.work.unbegun()
    }

    fn settle(&mut self, settled: Option<Settled>) -> Result<(), O::Error> {
        match settled {
            None => Ok(()),
            Some(Settled::GiveBack(chunk)) => self.give_back(chunk),
            Some(Settled::End(chunk)) => {
                self.objects.create(&Name::Ended(chunk).key(), &self.worker)?;
                self.scheduler.ended(chunk);
                Ok(())
            }
        }
    }

    fn give_back(&mut self, chunk: Chunk) -> Result<(), O::Error> {
        if let Some(number) = self.scheduler.give_back(chunk) {
            self.objects.create(&Name::GivenBack(chunk, number).key(), &self.worker)?;
        }
        Ok(())
    }

    /// The chunks that this worker holds.
    pub fn held(&self) -> Vec<Chunk> {
        self.scheduler.held()
    }

    /// How often to call [`Session::renew`].
    pub fn pause(&self) -> Duration {
        self.scheduler.pause()
    }

    /// When every chunk has ended: claims what is left to do then. A claim on that expires like any other, but is not
    /// renewed: whoever takes it over does the same once more.
    pub fn finish(&mut self, now: Duration) -> Result<Finish, O::Error> {
        if self.objects.exists(FINISHED)? {
            return Ok(Finish::Over);
        }
        let numbers = self.objects.list(FINISH)?;
        let last = numbers.iter().filter_map(|name| name.parse().ok()).max().unwrap_or(0);
        if self.finishing.0 != last {
            self.finishing = (last, now);
        }
        let expired = now.saturating_sub(self.finishing.1) >= self.scheduler.lease();
        if (last == 0 || expired) && self.objects.create(&finish_key(last + 1), &self.worker)? {
            return Ok(Finish::Mine);
        }
        Ok(Finish::Another(self.pause()))
    }
}
