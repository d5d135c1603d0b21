//! Turns the backend's events into records, and tracks the cells in flight.

use crate::progress::{Failure, RunProgress, Summary};
use crate::source::Source;
use crate::write_queue::{Batch, WriteQueue};
use crate::{ExecuteError, Stop};
use maquette_core::{Cell, CellId, Event, Image, Outcome, Plan, Record, Remarks};
use maquette_store::{RunWriter, SharedWriter, StoreError, Timings, WorkKind};
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A cell that has ended but is not in the log yet.
pub(crate) struct Ended {
    cell: Cell,
    device: String,
    how: How,
}

enum How {
    Finished { image: Image, seconds: f64, remarks: Remarks },
    Failed { error: String },
}

/// The result of the writer thread.
pub(crate) type Written = Result<Record, StoreError>;

/// The state shared by the backend's two callbacks.
pub(crate) struct RunRecorder<'a> {
    plan: Arc<Plan>,
    source: Box<dyn Source + 'a>,
    queue: WriteQueue<Ended, Written>,
    stop: &'a Stop,
    report: &'a mut dyn FnMut(RunProgress),
    /// The backend's, for cells that fail before a device starts them.
    device: &'a str,
    in_flight: HashMap<CellId, InFlight>,
    /// The UNet calls of each cell that is being written, in order, and its device.
    writing: VecDeque<(usize, String)>,
    summary: Summary,
    measured: Timings,
    /// The error that ended the run early.
    fatal: Option<ExecuteError>,
}

struct InFlight {
    cell: Cell,
    steps: usize,
    device: Option<String>,
}

impl Ended {
    /// Encodes and writes the pictures of some cells, then their rows.
    pub(crate) fn write(cells: Vec<Ended>, run: &mut RunWriter) -> Batch<Record, StoreError> {
        let (mut batch, mut failed) = (run.batch(), None);
        for Ended { cell, device, how } in cells {
            match how {
                How::Finished { image, seconds, remarks } => {
                    failed = batch.finish(&cell, &image, seconds, &device, remarks).err();
                }
                How::Failed { error } => batch.fail(&cell, &error, &device),
            }
            // The cells before it are recorded.
            if failed.is_some() {
                break;
            }
        }
        match batch.commit() {
            Ok(records) => (records, failed),
            Err(error) => (Vec::new(), failed.or(Some(error))),
        }
    }

    /// The same into a run that workers share. `key` is the row's.
    pub(crate) fn write_shared(self, run: &SharedWriter, key: &str) -> Written {
        let device = self.device.as_str();
        match self.how {
            How::Finished { image, seconds, remarks } => {
                run.finish(key, &self.cell, &image, (seconds, device), remarks)
            }
            How::Failed { error } => run.fail(key, &self.cell, &error, device),
        }
    }

    /// Keeps its picture on this machine, after a bucket could not be written.
    pub(crate) fn hold(self, run: &SharedWriter) -> Result<(), StoreError> {
        match &self.how {
            How::Finished { image, remarks, .. } => run.hold(&self.cell, image, remarks),
            How::Failed { .. } => Ok(()),
        }
    }

    /// Which cell it is.
    pub(crate) fn cell(&self) -> CellId {
        self.cell.id
    }
}

impl<'a> RunRecorder<'a> {
    pub(crate) fn new(
        plan: Arc<Plan>,
        source: Box<dyn Source + 'a>,
        queue: WriteQueue<Ended, Written>,
        stop: &'a Stop,
        report: &'a mut dyn FnMut(RunProgress),
        device: &'a str,
        summary: Summary,
    ) -> RunRecorder<'a> {
        RunRecorder {
            plan,
            source,
            queue,
            stop,
            report,
            device,
            in_flight: HashMap::new(),
            writing: VecDeque::new(),
            summary,
            measured: Timings::default(),
            fatal: None,
        }
    }

    /// The next cell for the backend; none after a stop was requested or an error occurred.
    pub(crate) fn pull(&mut self) -> Option<Cell> {
        if self.stop.is_requested() || self.fatal.is_some() {
            return None;
        }
        match self.source.next() {
            Ok(cell) => {
                let cell = cell?;
                self.in_flight.insert(cell.id, InFlight { cell: cell.clone(), steps: 0, device: None });
                Some(cell)
            }
            Err(error) => {
                self.fatal = Some(error);
                None
            }
        }
    }

    /// The cells that the backend has begun and not ended, in the plan's order.
    pub(crate) fn in_flight(&self) -> Vec<Cell> {
        let mut cells: Vec<Cell> = self.in_flight.values().map(|in_flight| in_flight.cell.clone()).collect();
        cells.sort_by_key(|cell| (self.plan.index_at(&cell.coordinates), cell.id));
        cells
    }

    /// Whether no more cells are to be rendered, not even those in flight.
    pub(crate) fn is_over(&self) -> bool {
        self.fatal.is_some() || self.stop.is_urgent()
    }

    /// Handles one event: sends cells that ended to the writer, reports other events and what was written meanwhile.
    pub(crate) fn event(&mut self, event: Event) -> ControlFlow<()> {
        match event {
            // A rendered picture is kept even after the second request to stop.
            Event::Finished { cell, image, seconds, remarks } => {
                self.end(&cell, How::Finished { image, seconds, remarks });
            }
            Event::Failed { cell, error } => self.end(&cell, How::Failed { error }),
            Event::Started { cell, steps, device } => self.started(cell, steps, device),
            Event::Stepped { cell, step, steps } => {
                (self.report)(RunProgress::Stepped { cell, step, steps });
            }
            Event::Loading { model } => (self.report)(RunProgress::Loading { model }),
            Event::Loaded { model, seconds, device } => {
                if let Some(card) = self.plan.models.get(&model) {
                    self.measured.add_load(&device, &card.fingerprint, seconds);
                }
                (self.report)(RunProgress::Loaded { model, seconds });
            }
            // Only a chance to stop.
            Event::Encoded => {}
            Event::Warned { cell, warning } => {
                (self.report)(RunProgress::Warned { cell: Some(cell), warning });
            }
        }
        while let Some(written) = self.queue.written() {
            self.written(written);
        }
        if self.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Waits until every ended cell is written. Returns the outcome, the summary and the measurements.
    pub(crate) fn close(
        mut self,
        rendered: Result<(), ExecuteError>,
    ) -> (Result<(), ExecuteError>, Summary, Timings) {
        while let Some(written) = self.queue.next_written() {
            self.written(written);
        }
        let outcome = match self.fatal.take() {
            Some(fatal) => Err(fatal),
            None => rendered.and_then(|()| self.check_finished()),
        };
        (outcome, self.summary, self.measured)
    }

    /// Checks that the backend kept its contract: every pulled cell has ended, and no cell was left.
    fn check_finished(&self) -> Result<(), ExecuteError> {
        if self.stop.is_urgent() {
            return Ok(());
        }
        if let Some(cell) = self.in_flight.keys().min() {
            return Err(ExecuteError::contract(format!("cell {cell:?} was started but never ended")));
        }
        let left = self.source.left();
        if !self.stop.is_requested() && left > 0 {
            return Err(ExecuteError::contract(format!("cells that were never started: {left}")));
        }
        Ok(())
    }

    fn started(&mut self, cell: CellId, steps: usize, device: String) {
        let Some(in_flight) = self.in_flight.get_mut(&cell) else { return };
        (in_flight.steps, in_flight.device) = (steps, Some(device));
        let label = self.plan.label(&in_flight.cell.coordinates);
        (self.report)(RunProgress::Started { cell, label, steps });
    }

    /// Sends a cell to the writer.
    fn end(&mut self, cell: &CellId, how: How) {
        let Some(InFlight { cell, steps, device }) = self.in_flight.remove(cell) else {
            let message = format!("cell {cell:?} ended but was not in flight");
            self.fatal.get_or_insert(ExecuteError::contract(message));
            return;
        };
        // A writer that has ended accepts nothing more; its last result is the error that ended it.
        let device = device.unwrap_or_else(|| self.device.to_owned());
        if self.queue.push(Ended { cell, device: device.clone(), how }).is_ok() {
            self.writing.push_back((steps, device));
        }
    }

    /// Handles the result of the writer: a cell's row is in the log or could not be written.
    fn written(&mut self, written: Written) {
        let (steps, device) = self.writing.pop_front().unwrap_or_default();
        let record = match written {
            Ok(record) => record,
            Err(error) => {
                self.fatal.get_or_insert(error.into());
                return;
            }
        };
        let cell = &record.cell;
        match &record.outcome {
            Outcome::Done { .. } => {
                self.summary.rendered += 1;
                if let Some(card) = self.plan.models.get(&*cell.settings.model) {
                    let kind = WorkKind::of(&cell.settings, &card.fingerprint, &device);
                    if !self.summary.kinds.contains(&kind) {
                        self.summary.kinds.push(kind.clone());
                    }
                    if !self.source.are_drafts() {
                        // Some steps may have fewer rows than others, or compute less of the UNet.
                        let work = cell.settings.unet_work(card);
                        let share = work / cell.settings.unet_calls().max(1) as f64;
                        let steps = (steps as f64 * share).round().max(1.0) as u64;
                        self.measured.add_cell(kind, steps, record.seconds.unwrap_or_default());
                    }
                }
                (self.report)(RunProgress::Finished { record });
            }
            Outcome::Failed { error } => {
                let label = self.plan.label(&cell.coordinates);
                self.summary.failures.push(Failure { cell: cell.id, label, error: error.clone() });
                (self.report)(RunProgress::Failed { record });
            }
        }
    }
}
