//! The loop of a worker: claims chunks of a run that others render, too, until every cell has ended.

use crate::recorder::{Ended, RunRecorder, Written};
use crate::render::render;
use crate::source::Source;
use crate::todo::{Grouped, order_to_share};
use crate::write_queue::{Batch, with_writer_or};
use crate::{ExecuteError, RunProgress, Stop, Summary};
use maquette_core::{Backend, Cell, CellId, Digest, Plan, Record};
use maquette_share::{Chunk, Chunks, Finish, Scheduler, Session, Take, row_key};
use maquette_store::{Reuse, SessionObjects, SharedWriter, StoreError, Timings};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One worker.
pub struct Worker<'a> {
    /// Its name, for people.
    pub name: &'a str,
    /// After which time a claim that is not renewed may be taken over; the same for every worker.
    pub lease: Duration,
    /// The time since some moment, by a monotonic clock.
    pub clock: &'a (dyn Fn() -> Duration + Sync),
}

/// How the work of a worker ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedSummary {
    /// The cells that this worker dealt with. `total` and `done` are those of the run when it joined.
    pub summary: Summary,
    /// Whether every cell has ended and this worker is to draw sheets and page; [`SharedWriter::fold`] comes after that.
    pub finishes: bool,
    /// Claims on chunks that other workers took over, because this one was silent for too long.
    pub lost: usize,
}

/// The state that the threads of a worker share.
struct State<'a> {
    session: Mutex<Session<SessionObjects>>,
    run: &'a SharedWriter,
    plan: &'a Plan,
    clock: &'a (dyn Fn() -> Duration + Sync),
    chunks: Chunks,
    /// The cells in the order of chunks: the number of each in the plan, and its name.
    cells: Vec<(usize, CellId)>,
    /// The chunk of each cell.
    chunk_of: HashMap<CellId, Chunk>,
}

/// What the source of cells saw besides cells.
#[derive(Default)]
struct Seen {
    reused: usize,
    /// What the session said when it had no cell.
    last: Option<Take>,
    warnings: Vec<(Option<CellId>, String)>,
}

/// Renders cells of a run that several workers share, until every cell has ended. `cells` are the distinct cells of the plan.
///
/// A cell has ended when its row exists. Cells that are done by the log are left out; pictures that exist are reused. What
/// this worker claimed is given back when it ends early: after the first request to stop, when the cells in flight have
/// their rows. While nothing is free it waits, for the cells of workers that die.
///
/// # Errors
///
/// As for [`crate::execute`]. What was claimed is given back then, too.
pub fn execute_shared(
    worker: &Worker<'_>,
    cells: &[(usize, CellId)],
    backend: &mut dyn Backend,
    run: &SharedWriter,
    stop: &Stop,
    report: &mut dyn FnMut(RunProgress),
) -> Result<SharedSummary, ExecuteError> {
    let plan = run.plan();
    let Grouped { cells, groups } = order_to_share(&plan, cells)?;
    let chunks = Chunks::cut(&groups);
    let is_done = |chunk: &Chunk| chunks.cells(*chunk).all(|at| run.is_done(&cells[at].1));
    let done: BTreeSet<Chunk> = (0..chunks.len() as Chunk).filter(is_done).collect();
    let chunk_of =
        (0..chunks.len() as Chunk).flat_map(|chunk| chunks.cells(chunk).map(move |at| (at, chunk)));
    let chunk_of = chunk_of.map(|(at, chunk)| (cells[at].1, chunk)).collect();
    let (total, before) = (cells.len(), cells.iter().filter(|(_, id)| run.is_done(id)).count());
    let todo = total - before;
    report(RunProgress::Planned { total, done: before, reused: 0, todo, drafts: false });
    let summary = Summary { total, done: before, ..Summary::default() };
    if todo == 0 {
        return Ok(SharedSummary { summary, finishes: false, lost: 0 });
    }

    let scheduler = Scheduler::new(chunks.clone(), done, worker.lease, seed(worker.name));
    let session = Mutex::new(Session::join(run.objects().clone(), scheduler, worker.name));
    let state = State { session, run, plan: &plan, clock: worker.clock, chunks, cells, chunk_of };
    let state = &state;
    // Those that other workers will render, too: which ones is not known yet, and the model is loaded once.
    let left = state.cells.iter().filter(|(_, id)| !run.is_done(id));
    backend.expect(&mut left.filter_map(|(number, _)| plan.cell(*number).ok()));
    let (ended, ending) = channel::<()>();
    std::thread::scope(|scope| {
        let renewer = scope.spawn(move || {
            let pause = state.lock().pause();
            let mut lost = 0;
            // Until the sender is dropped. A claim that cannot be renewed now is tried again.
            while let Err(RecvTimeoutError::Timeout) = ending.recv_timeout(pause) {
                let now = (state.clock)();
                lost += state.lock().renew(now).map_or(0, |chunks| chunks.len());
            }
            lost
        });
        let outcome = state.work(backend, stop, summary, report);
        drop(ended);
        let lost = renewer.join().unwrap_or(0);
        // Whatever could not be recorded is for other workers.
        let left = state.lock().leave();
        let (summary, finishes) = outcome?;
        left?;
        Ok(SharedSummary { summary, finishes, lost })
    })
}

impl State<'_> {
    fn lock(&self) -> MutexGuard<'_, Session<SessionObjects>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renders what is free, and waits for what is held by others, until everything has ended.
    fn work(
        &self,
        backend: &mut dyn Backend,
        stop: &Stop,
        mut summary: Summary,
        report: &mut dyn FnMut(RunProgress),
    ) -> Result<(Summary, bool), ExecuteError> {
        let device = backend.device();
        loop {
            let seen = RefCell::new(Seen::default());
            let dealt_with = |summary: &Summary| summary.rendered + summary.reused + summary.failures.len();
            let (rendered, before) = (summary.rendered, dealt_with(&summary));
            let (outcome, after, measured) = self.render(backend, stop, summary, &seen, &device, report);
            summary = after;
            // A run does not fail because measurements cannot be saved.
            if summary.rendered > rendered
                && let Err(error) = self.run.remember(&measured)
            {
                let warning = format!("{error}, so estimates are not updated");
                report(RunProgress::Warned { cell: None, warning });
            }
            let Seen { reused, last, warnings } = seen.into_inner();
            summary.reused += reused;
            warnings.into_iter().for_each(|(cell, warning)| report(RunProgress::Warned { cell, warning }));
            outcome?;
            summary.interrupted = stop.is_requested();
            let pause = match last {
                _ if summary.interrupted => break,
                // The rows of the last cells were not written yet when nothing was free.
                Some(Take::Nothing(_)) if dealt_with(&summary) > before => Duration::ZERO,
                Some(Take::Nothing(pause)) => pause,
                Some(Take::Over) => break,
                // The backend asks for no more cells although there may be some.
                None | Some(Take::Chunk(..)) => Duration::ZERO,
                Some(Take::Ended) => {
                    let now = (self.clock)();
                    match self.lock().finish(now)? {
                        Finish::Mine => return Ok((summary, true)),
                        // Whoever has rendered leaves; someone who came for the end sees to it that it is reached.
                        Finish::Another(pause) if summary.rendered + summary.reused == 0 => pause,
                        Finish::Another(_) | Finish::Over => break,
                    }
                }
            };
            wait(pause, stop);
        }
        Ok((summary, false))
    }

    /// Renders until nothing is free.
    fn render(
        &self,
        backend: &mut dyn Backend,
        stop: &Stop,
        summary: Summary,
        seen: &RefCell<Seen>,
        device: &str,
        report: &mut dyn FnMut(RunProgress),
    ) -> (Result<(), ExecuteError>, Summary, Timings) {
        // A backend need not be able to do nothing.
        let mut source = SharedSource { state: self, seen, ahead: None };
        match source.next() {
            _ if stop.is_requested() => return (Ok(()), summary, Timings::default()),
            Ok(None) => return (Ok(()), summary, Timings::default()),
            Err(error) => return (Err(error), summary, Timings::default()),
            Ok(cell) => source.ahead = cell,
        }
        with_writer_or(
            |ended| self.write_all(ended),
            Some(|ended: Ended| self.hold(ended)),
            |queue| {
                let (plan, source) = (self.run.plan(), Box::new(source));
                let recorder =
                    RefCell::new(RunRecorder::new(plan, source, queue, stop, report, device, summary));
                let rendered = render(backend, &recorder, &mut || {
                    if stop.is_requested() {
                        // Given back early; a failure here is one of the end, too.
                        let _ = self.lock().stop();
                    }
                });
                recorder.into_inner().close(rendered)
            },
        )
    }

    /// Writes the pictures and the rows of some cells.
    fn write_all(&self, cells: Vec<Ended>) -> Batch<Record, StoreError> {
        let (mut records, mut cells) = (Vec::new(), cells.into_iter());
        while let Some(ended) = cells.next() {
            match self.write(ended) {
                Ok(record) => records.push(record),
                Err(error) => {
                    cells.for_each(|ended| self.hold(ended));
                    return (records, Some(error));
                }
            }
        }
        (records, None)
    }

    /// Keeps the picture of a cell that ended after one could not be written. If that fails, too, the first error is the one to
    /// report, and the cell is rendered again.
    fn hold(&self, ended: Ended) {
        let _ = ended.hold(self.run);
    }

    /// Writes the picture and the row of a cell; the last row of a chunk ends it.
    fn write(&self, ended: Ended) -> Written {
        let cell = ended.cell();
        let record = ended.write_shared(self.run, &self.key(&cell))?;
        self.recorded(&cell)?;
        Ok(record)
    }

    fn recorded(&self, cell: &CellId) -> Result<(), StoreError> {
        match self.chunk_of.get(cell) {
            Some(chunk) => self.lock().recorded(*chunk),
            None => Ok(()),
        }
    }

    /// The key of a cell's row.
    fn key(&self, cell: &CellId) -> String {
        row_key(self.chunk_of.get(cell).copied().unwrap_or_default(), &cell.to_string())
    }

    /// Claims a chunk, and adds those of its cells that have no row.
    fn take(&self) -> Result<Take, StoreError> {
        let now = (self.clock)();
        let mut session = self.lock();
        let take = session.take(now)?;
        if let Take::Chunk(chunk, rows) = &take {
            let has_row = |id: &CellId| self.run.is_done(id) || rows.contains(&id.to_string());
            let left: Vec<usize> =
                self.chunks.cells(*chunk).filter(|at| !has_row(&self.cells[*at].1)).collect();
            session.add(*chunk, &left)?;
        }
        Ok(take)
    }
}

/// The cells that a worker claims.
struct SharedSource<'a> {
    state: &'a State<'a>,
    seen: &'a RefCell<Seen>,
    /// A cell that was begun to see whether there is one.
    ahead: Option<Cell>,
}

impl Source for SharedSource<'_> {
    fn next(&mut self) -> Result<Option<Cell>, ExecuteError> {
        if let Some(cell) = self.ahead.take() {
            return Ok(Some(cell));
        }
        loop {
            let now = (self.state.clock)();
            let begun = self.state.lock().begin(now)?;
            let Some((_, at)) = begun else {
                let take = self.state.take()?;
                let is_chunk = matches!(take, Take::Chunk(..));
                self.seen.borrow_mut().last = Some(take);
                if is_chunk {
                    continue;
                }
                return Ok(None);
            };
            let (number, id) = self.state.cells[at];
            let cell = self.state.plan.cell(number)?;
            if self.state.run.has_picture(&id)? {
                match self.state.run.reuse(&self.state.key(&id), &cell)? {
                    Reuse::Taken => {
                        self.seen.borrow_mut().reused += 1;
                        self.state.recorded(&id)?;
                        continue;
                    }
                    Reuse::Absent => {}
                    Reuse::Unusable(problem) => {
                        let warning = (Some(id), format!("{problem}, so it is replaced"));
                        self.seen.borrow_mut().warnings.push(warning);
                    }
                }
            }
            return Ok(Some(cell));
        }
    }

    fn left(&self) -> usize {
        self.state.lock().unbegun()
    }

    fn are_drafts(&self) -> bool {
        false
    }
}

/// Waits, but not longer than until a stop is requested.
fn wait(mut time: Duration, stop: &Stop) {
    const STEP: Duration = Duration::from_millis(50);
    while time > Duration::ZERO && !stop.is_requested() {
        let step = time.min(STEP);
        std::thread::sleep(step);
        time -= step;
    }
}

/// Workers begin elsewhere, each by its name.
fn seed(name: &str) -> u64 {
    let digest = Digest::of(name.as_bytes());
    digest.as_bytes().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
