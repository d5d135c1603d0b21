//! Simulated workers: events in the order of time.

use crate::store::Store;
use maquette_share::{Chunks, FINISHED, Finish, Objects, Scheduler, Session, Take};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fmt;
use std::time::Duration;

/// Milliseconds.
type Time = u64;

const LEASE: Time = 120_000;

/// How long a request takes.
const LATENCY: Time = 50;

/// What is simulated. The workers that die, leave, pause, are slow or come late are different ones.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub workers: usize,
    pub cells: usize,
    /// The mean time of a cell; each takes between half and one and a half of it.
    pub cell: Time,
    /// How many workers die at a random moment.
    pub dying: usize,
    /// How many are told to stop at a random moment, and give back what they hold.
    pub leaving: usize,
    /// How many are paused once, for three leases.
    pub pausing: usize,
    /// How many are twenty times slower.
    pub slow: usize,
    /// How many join later than the others.
    pub late: usize,
}

impl Scenario {
    /// Workers to which nothing happens, with cells of 10 s.
    pub fn calm(workers: usize, cells: usize) -> Scenario {
        Scenario { workers, cells, cell: 10_000, dying: 0, leaving: 0, pausing: 0, slow: 0, late: 0 }
    }

    /// Of a thousand workers 10 die, 10 leave, 5 are paused, 20 are slow and 50 are late; the same of fewer, but at least one.
    pub fn rough(workers: usize, cells: usize) -> Scenario {
        let share = |of_thousand: usize| (workers * of_thousand / 1_000).max(1);
        let (dying, leaving, pausing) = (share(10), share(10), share(5));
        Scenario {
            dying,
            leaving,
            pausing,
            slow: share(20),
            late: share(50),
            ..Scenario::calm(workers, cells)
        }
    }

    /// How long the work takes if it is shared perfectly and nothing happens.
    fn ideal(&self) -> Time {
        self.cells as u64 * self.cell / self.workers as u64
    }
}

/// What came out of a simulation.
#[derive(Debug, Default, PartialEq)]
pub struct Figures {
    /// Cells with a row.
    pub rows: usize,
    /// Cells that were rendered to the end more than once.
    pub twice: usize,
    /// Cells that were begun by a worker that died.
    pub lost: usize,
    pub requests: usize,
    /// Requests to create what another worker had created.
    pub conflicts: usize,
    /// Chunks that were taken over from another worker.
    pub taken_over: usize,
    pub died: usize,
    /// How often a worker went on with another model.
    pub loads: usize,
    /// When the last cell had its row, and how long that is by `Scenario::ideal`.
    pub took: Time,
    pub ideal: Time,
}

impl Figures {
    pub fn share_twice(&self) -> f64 {
        self.twice as f64 / self.rows.max(1) as f64
    }

    pub fn requests_each(&self) -> f64 {
        self.requests as f64 / self.rows.max(1) as f64
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Works,
    Renews,
    Dies,
    Leaves,
    Pauses,
}

struct Worker<'a> {
    session: Session<&'a Store>,
    renders: Option<(u32, usize)>,
    gone: bool,
    leaving: bool,
    paused_until: Time,
    slowness: Time,
    group: Option<u32>,
}

/// Random numbers (xorshift64), so that a simulation can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// Runs a scenario to its end.
pub fn simulate(scenario: &Scenario) -> Figures {
    let Scenario { workers: count, cells, .. } = *scenario;
    // Three models, the first two with 40 % of the cells each.
    let groups: Vec<u32> = (0..cells).map(|cell| (5 * cell / (2 * cells)) as u32).collect();
    let chunks = Chunks::cut(&groups);
    let store = Store::new(chunks.clone(), cells);
    let mut random = Random(0x5eed);
    let mut events: BinaryHeap<Reverse<(Time, usize, Event)>> = BinaryHeap::new();
    let mut workers = Vec::new();
    for at in 0..count {
        let scheduler =
            Scheduler::new(chunks.clone(), BTreeSet::new(), Duration::from_millis(LEASE), at as u64);
        workers.push(Worker {
            session: Session::join(&store, scheduler, &at.to_string()),
            renders: None,
            gone: false,
            leaving: false,
            paused_until: 0,
            slowness: 1,
            group: None,
        });
        let begins = random.below(1_000);
        events.push(Reverse((begins, at, Event::Works)));
        events.push(Reverse((begins, at, Event::Renews)));
    }
    let ideal = scenario.ideal();
    let mut next = 0;
    let mut some = |many: usize| {
        let these = next..(next + many).min(count);
        next = these.end;
        these
    };
    let fates =
        [(scenario.dying, Event::Dies), (scenario.leaving, Event::Leaves), (scenario.pausing, Event::Pauses)];
    for (many, event) in fates {
        some(many).for_each(|at| events.push(Reverse((random.below(ideal), at, event))));
    }
    some(scenario.slow).for_each(|at| workers[at].slowness = 20);
    some(scenario.late).for_each(|at| workers[at].paused_until = random.below(ideal));

    let (mut figures, mut rendered) = (Figures { ideal, ..Figures::default() }, vec![0u8; cells]);
    while let Some(Reverse((time, at, event))) = events.pop() {
        let worker = &mut workers[at];
        if worker.gone {
            continue;
        }
        if time < worker.paused_until && event != Event::Dies {
            events.push(Reverse((worker.paused_until, at, event)));
            continue;
        }
        let before = store.requests.get();
        let after = match event {
            Event::Works => {
                worker.work(time, scenario, &mut random, (&store, &groups), &mut figures, &mut rendered)
            }
            Event::Renews => {
                let Ok(_) = worker.session.renew(Duration::from_millis(time));
                Some(LEASE / 32)
            }
            Event::Dies => {
                figures.died += 1;
                figures.lost += usize::from(worker.renders.is_some());
                worker.gone = true;
                None
            }
            Event::Leaves => {
                worker.leaving = true;
                None
            }
            Event::Pauses => {
                worker.paused_until = time + 3 * LEASE;
                None
            }
        };
        if let Some(after) = after {
            let waited = (store.requests.get() - before) as u64 * LATENCY;
            events.push(Reverse((time + after + waited, at, event)));
        }
    }
    figures.rows = store.rows();
    figures.twice = rendered.iter().filter(|times| **times > 1).count();
    (figures.requests, figures.conflicts) = (store.requests.get(), store.conflicts.get());
    figures.taken_over = store.taken_over.get();
    figures
}

impl Worker<'_> {
    /// Ends the cell in progress, begins the next; returns after which time it goes on.
    fn work(
        &mut self,
        time: Time,
        scenario: &Scenario,
        random: &mut Random,
        (store, groups): (&Store, &[u32]),
        figures: &mut Figures,
        rendered: &mut [u8],
    ) -> Option<Time> {
        let now = Duration::from_millis(time);
        if let Some((chunk, cell)) = self.renders.take() {
            rendered[cell] = rendered[cell].saturating_add(1);
            store.create_picture(cell);
            self.row(store, chunk, cell);
            figures.took = figures.took.max(time);
        }
        loop {
            if self.leaving {
                let Ok(()) = self.session.stop();
                self.gone = true;
                return None;
            }
            let Ok(begun) = self.session.begin(now);
            let Some((chunk, cell)) = begun else {
                let Ok(take) = self.session.take(now);
                match take {
                    Take::Chunk(chunk, rows) => {
                        let cells = store.cells(chunk).filter(|cell| !rows.contains(&cell.to_string()));
                        let Ok(()) = self.session.add(chunk, &cells.collect::<Vec<_>>());
                        continue;
                    }
                    Take::Nothing(pause) => return Some(pause.as_millis() as Time),
                    Take::Ended => {
                        let Ok(finish) = self.session.finish(now);
                        if finish == Finish::Mine {
                            let Ok(_) = self.session.objects().create(FINISHED, b"");
                        }
                    }
                    Take::Over => {}
                }
                self.gone = true;
                return None;
            };
            if store.has_picture(cell) {
                self.row(store, chunk, cell);
                continue;
            }
            figures.loads += usize::from(self.group.replace(groups[cell]) != Some(groups[cell]));
            self.renders = Some((chunk, cell));
            return Some(self.slowness * (scenario.cell / 2 + random.below(scenario.cell)));
        }
    }

    /// Writes a row; the last one of a chunk ends it.
    fn row(&mut self, store: &Store, chunk: u32, cell: usize) {
        store.create_row(cell);
        let Ok(()) = self.session.recorded(chunk);
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { workers, cells, dying, leaving, pausing, slow, late, .. } = self;
        write!(
            f,
            "{workers} workers, {cells} cells; {dying} die, {leaving} leave, {pausing} pause, {slow} are slow, {late} are late"
        )
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { twice, lost, conflicts, taken_over, loads, took, ideal, .. } = self;
        let (each, twice_share) = (self.requests_each(), 100.0 * self.share_twice());
        write!(
            f,
            "  rendered twice: {twice} ({twice_share:.3} %), begun by the dead: {lost}, requests per cell: {each:.2}, lost claims: \
             {conflicts}, chunks taken over: {taken_over}, models loaded: {loads}, time: {} s (ideal {} s)",
            took / 1000,
            ideal / 1000
        )
    }
}
