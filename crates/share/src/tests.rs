//! Workers that share a store in memory, in any order of events.

use crate::{Chunk, Chunks, FINISHED, Finish, LARGEST_CHUNK, Objects, Scheduler, Session, Take, row_key};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(120);

/// A store in memory that counts requests.
#[derive(Clone, Default)]
struct Memory {
    keys: Rc<RefCell<BTreeSet<String>>>,
    requests: Rc<Cell<usize>>,
}

impl Memory {
    fn count(&self) {
        self.requests.set(self.requests.get() + 1);
    }
}

impl Objects for Memory {
    type Error = Infallible;

    fn create(&self, key: &str, _: &[u8]) -> Result<bool, Infallible> {
        self.count();
        Ok(self.keys.borrow_mut().insert(key.to_owned()))
    }

    fn exists(&self, key: &str) -> Result<bool, Infallible> {
        self.count();
        Ok(self.keys.borrow().contains(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Infallible> {
        self.count();
        let keys = self.keys.borrow();
        let below = keys.range(prefix.to_owned()..).map_while(|key| key.strip_prefix(prefix));
        Ok(below.map(str::to_owned).collect())
    }
}

fn chunks(cells: usize) -> Chunks {
    Chunks::cut(&vec![0; cells])
}

fn join(store: &Memory, chunks: &Chunks, seed: u64) -> Session<Memory> {
    let scheduler = Scheduler::new(chunks.clone(), BTreeSet::new(), LEASE, seed);
    Session::join(store.clone(), scheduler, &format!("worker {seed}"))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Ends a chunk that was claimed.
fn end(worker: &mut Session<Memory>, chunk: Chunk) {
    worker.add(chunk, &[]).unwrap();
}

#[track_caller]
fn chunk(take: Result<Take, Infallible>) -> Chunk {
    match take {
        Ok(Take::Chunk(chunk, _)) => chunk,
        other => panic!("{other:?}"),
    }
}

#[test]
fn chunks_have_every_cell_once_and_one_group() {
    let check = |groups: &[u32], expected: &[std::ops::Range<usize>]| {
        let chunks = Chunks::cut(groups);
        let cut: Vec<_> = (0..chunks.len() as u32).map(|chunk| chunks.cells(chunk)).collect();
        assert_eq!(cut, expected);
    };
    check(&[], &[]);
    check(&[0, 0, 1], &[0..1, 1..2, 2..3]);
    assert!(Chunks::cut(&[]).is_empty());
    // Large runs have chunks of the full size, cut where a group ends.
    let groups: Vec<u32> = (0..4000).map(|cell| u32::from(cell >= 2001)).collect();
    let large = Chunks::cut(&groups);
    assert_eq!((large.cells(0), large.cells(250), large.cells(251)), (0..8, 2000..2001, 2001..2009));
    assert_eq!(large.cells(large.len() as u32), 0..0);
    assert_eq!(large.cells(0).len(), LARGEST_CHUNK);
}

#[test]
fn a_worker_goes_on_with_the_next_chunk() {
    let (store, chunks) = (Memory::default(), chunks(200));
    let mut worker = join(&store, &chunks, 1);
    let first = chunk(worker.take(seconds(0)));
    assert_eq!(chunk(worker.take(seconds(1))), first + 1);
    assert_eq!(chunk(worker.take(seconds(2))), first + 2);
}

#[test]
fn workers_never_hold_the_same_chunk() {
    let (store, chunks) = (Memory::default(), chunks(1000));
    let mut workers: Vec<_> = (0..7).map(|seed| join(&store, &chunks, seed)).collect();
    let mut taken = BTreeSet::new();
    for turn in 0.. {
        let worker = &mut workers[turn % 7];
        match worker.take(seconds(turn as u64 / 100)).unwrap() {
            Take::Chunk(chunk, rows) => {
                assert!(taken.insert(chunk) && rows.is_empty());
                end(worker, chunk);
            }
            Take::Ended if turn > 1000 => break,
            Take::Ended | Take::Nothing(_) => {}
            Take::Over => panic!("nobody closed the session"),
        }
    }
    assert_eq!(taken.len(), chunks.len());
}

#[test]
fn a_claim_expires_by_the_observers_clock_alone() {
    let (store, chunks) = (Memory::default(), chunks(1));
    let (mut dead, mut other) = (join(&store, &chunks, 1), join(&store, &chunks, 2));
    // The dead worker's clock shows another time.
    assert_eq!(chunk(dead.take(seconds(1_000_000))), 0);
    let mut now = seconds(5);
    let mut waited = Duration::ZERO;
    while let Take::Nothing(pause) = other.take(now).unwrap() {
        assert!(pause > Duration::ZERO && pause <= LEASE / 32);
        (now, waited) = (now + pause, waited + pause);
        assert!(waited <= LEASE + LEASE / 32);
    }
    assert!(other.held() == [0] && waited >= LEASE, "taken over after {waited:?}");
}

#[test]
fn a_slow_worker_keeps_what_it_renews_and_a_paused_one_learns_that_it_lost_it() {
    let (store, chunks) = (Memory::default(), chunks(1));
    let (mut slow, mut other) = (join(&store, &chunks, 1), join(&store, &chunks, 2));
    assert_eq!(chunk(slow.take(seconds(0))), 0);
    for now in 0..1000 {
        assert_eq!(slow.renew(seconds(now)).unwrap(), []);
        assert!(matches!(other.take(seconds(now)), Ok(Take::Nothing(_))), "at {now} s");
    }
    // Paused from here on.
    for now in 1000..1200 {
        let _ = other.take(seconds(now));
    }
    assert_eq!(other.held(), [0]);
    assert_eq!(slow.renew(seconds(1200)).unwrap(), [0]);
    assert_eq!(slow.held(), []);
}

#[test]
fn what_is_given_back_is_taken_at_once_with_its_rows() {
    let (store, chunks) = (Memory::default(), chunks(1));
    let (mut first, mut other) = (join(&store, &chunks, 1), join(&store, &chunks, 2));
    assert_eq!(chunk(first.take(seconds(0))), 0);
    assert!(matches!(other.take(seconds(0)), Ok(Take::Nothing(_))));
    store.create(&row_key(0, "abc"), b"").unwrap();
    first.leave().unwrap();
    assert_eq!(first.held(), []);
    assert_eq!(other.take(seconds(60)).unwrap(), Take::Chunk(0, vec!["abc".to_owned()]));
    // It can be given back again.
    other.leave().unwrap();
    assert!(matches!(first.take(seconds(61)), Ok(Take::Chunk(0, _))));
}

#[test]
fn a_chunk_ends_with_its_last_row_or_is_given_back() {
    let (store, chunks) = (Memory::default(), chunks(1000));
    assert_eq!(chunks.cells(0), 0..3);
    let (mut worker, mut other) = (join(&store, &chunks, 1), join(&store, &chunks, 2));
    let first = chunk(worker.take(seconds(0)));
    worker.add(first, &[7, 8]).unwrap();
    assert_eq!(worker.begin(seconds(0)).unwrap(), Some((first, 7)));
    worker.recorded(first).unwrap();
    assert_eq!(worker.begin(seconds(239)).unwrap(), Some((first, 8)));
    assert_eq!(worker.held(), [first]);
    worker.recorded(first).unwrap();
    assert_eq!((worker.held(), worker.begin(seconds(240)).unwrap()), (vec![], None));

    // Of a chunk that is held for two leases no more cells are begun.
    let second = chunk(worker.take(seconds(300)));
    worker.add(second, &[9, 10, 11]).unwrap();
    assert_eq!(worker.begin(seconds(300)).unwrap(), Some((second, 9)));
    assert_eq!((worker.begin(seconds(540)).unwrap(), worker.held()), (None, vec![second]));
    worker.recorded(second).unwrap();
    assert_eq!(worker.held(), []);
    let mut taken = BTreeSet::new();
    while let Take::Chunk(chunk, _) = other.take(seconds(0)).unwrap() {
        taken.insert(chunk);
    }
    assert!(taken.contains(&second) && !taken.contains(&first) && taken.len() == chunks.len() - 1);

    // A worker that stops finishes the cells that it has begun.
    let mut third = join(&Memory::default(), &chunks, 3);
    let last = chunk(third.take(seconds(0)));
    third.add(last, &[1, 2]).unwrap();
    assert_eq!((third.begin(seconds(0)).unwrap(), third.unbegun()), (Some((last, 1)), 1));
    third.stop().unwrap();
    assert_eq!((third.held(), third.begin(seconds(0)).unwrap(), third.unbegun()), (vec![last], None, 0));
    third.recorded(last).unwrap();
    assert_eq!(third.held(), []);
}

#[test]
fn one_worker_finishes_and_another_takes_that_over() {
    let (store, chunks) = (Memory::default(), chunks(1));
    let mut workers: Vec<_> = (0..3).map(|seed| join(&store, &chunks, seed)).collect();
    assert_eq!(chunk(workers[0].take(seconds(0))), 0);
    end(&mut workers[0], 0);
    assert_eq!(workers[0].take(seconds(0)).unwrap(), Take::Ended);
    assert_eq!(workers[0].finish(seconds(0)).unwrap(), Finish::Mine);
    assert!(matches!(workers[1].finish(seconds(0)), Ok(Finish::Another(_))));
    assert!(matches!(workers[1].finish(seconds(119)), Ok(Finish::Another(_))));
    assert_eq!(workers[1].finish(seconds(120)).unwrap(), Finish::Mine);
    store.create(FINISHED, b"").unwrap();
    assert_eq!(workers[2].finish(seconds(0)).unwrap(), Finish::Over);
}

#[test]
fn a_claim_after_the_end_is_void() {
    let (store, chunks) = (Memory::default(), chunks(1));
    let mut late = join(&store, &chunks, 1);
    store.create(FINISHED, b"").unwrap();
    assert_eq!(late.take(seconds(0)).unwrap(), Take::Over);
    assert_eq!(late.held(), []);
}

#[test]
fn chunks_that_were_done_before_are_left_out() {
    let (store, chunks) = (Memory::default(), chunks(3));
    let scheduler = Scheduler::new(chunks, BTreeSet::from([0, 2]), LEASE, 1);
    let mut worker = Session::join(store, scheduler, "worker");
    assert_eq!(chunk(worker.take(seconds(0))), 1);
    end(&mut worker, 1);
    assert_eq!(worker.take(seconds(0)).unwrap(), Take::Ended);
}

/// A worker that ends chunk 1 of a block does not take chunk 0 of it for ended, which it let go or never got.
#[test]
fn a_block_is_open_while_a_chunk_of_it_is() {
    let check = |let_go: &dyn Fn(&mut Session<Memory>, &Memory)| {
        let (store, chunks) = (Memory::default(), chunks(2));
        let mut worker = join(&store, &chunks, 1);
        let claimed = BTreeSet::from([(); 2].map(|()| chunk(worker.take(seconds(0)))));
        assert_eq!(claimed, BTreeSet::from([0, 1]));
        let_go(&mut worker, &store);
        for chunk in worker.held() {
            end(&mut worker, chunk);
        }
        assert_ne!(worker.take(seconds(10)).unwrap(), Take::Ended, "{:?}", store.keys);
    };
    let give_back = |worker: &mut Session<Memory>, _: &Memory| {
        worker.add(0, &[0]).unwrap();
        worker.stop().unwrap();
    };
    check(&give_back);
    let lose = |worker: &mut Session<Memory>, store: &Memory| {
        store.create("claims/0/0.2", b"").unwrap();
        assert_eq!(worker.renew(seconds(60)).unwrap(), [0]);
    };
    check(&lose);
}

/// What can happen to a worker.
#[derive(Debug, Clone, Copy)]
enum Event {
    Takes,
    Ends,
    GivesBack,
    Dies,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_chunk_ends_whatever_happens(
        cells in 1usize..700,
        events in prop::collection::vec((0usize..5, prop_oneof![
            6 => Just(Event::Takes), 4 => Just(Event::Ends), 1 => Just(Event::GivesBack), 1 => Just(Event::Dies),
        ]), 0..400),
    ) {
        let (store, chunks) = (Memory::default(), chunks(cells));
        let mut seeds = 5u64;
        let mut workers: Vec<_> = (0..5).map(|seed| join(&store, &chunks, seed)).collect();
        let mut offsets: Vec<u64> = (0..5).map(|at| at * 10_000).collect();
        let mut now = 0;
        // Who ended each chunk, with leases that nobody broke.
        let mut ended: BTreeMap<Chunk, usize> = BTreeMap::new();
        let last = (0..5).cycle().map(|at| (at, Event::Ends)).flat_map(|(at, ends)| [(at, Event::Takes), (at, ends)]);
        let mut left = 100 * cells + 10_000;
        for (at, event) in events.into_iter().chain(last) {
            now += 2;
            let clock = seconds(now + offsets[at]);
            match event {
                Event::Takes => {
                    if workers[at].take(clock).unwrap() == Take::Ended {
                        break;
                    }
                }
                Event::Ends => {
                    for chunk in workers[at].held() {
                        *ended.entry(chunk).or_default() += 1;
                        end(&mut workers[at], chunk);
                    }
                }
                Event::GivesBack => {
                    workers[at].leave().unwrap();
                }
                Event::Dies => {
                    workers[at] = join(&store, &chunks, seeds);
                    (seeds, offsets[at]) = (seeds + 1, seeds * 777);
                }
            }
            for (worker, offset) in workers.iter_mut().zip(&offsets) {
                prop_assert_eq!(worker.renew(seconds(now + offset)).unwrap(), vec![], "somebody broke a lease");
            }
            left -= 1;
            prop_assert!(left > 0, "it does not end");
        }
        prop_assert_eq!(ended.len(), chunks.len());
        prop_assert!(ended.values().all(|times| *times == 1));
    }
}
