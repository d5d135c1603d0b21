//! From the backend's events to records: which cells are in flight, and what becomes of them.

use crate::progress::{Failure, RunProgress, Summary};
use crate::{ExecuteError, Stop};
use maquette_core::{Cell, CellId, Event, Plan};
use maquette_store::{RunWriter, Timings, WorkKind};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Everything that the backend's two callbacks share.
pub(crate) struct RunRecorder<'a> {
    plan: Arc<Plan>,
    run: &'a mut RunWriter,
    stop: &'a Stop,
    report: &'a mut dyn FnMut(RunProgress),
    device: String,
    todo: std::vec::IntoIter<usize>,
    in_flight: HashMap<CellId, InFlight>,
    summary: Summary,
    measured: Timings,
    /// What ended the run before its time.
    pub fatal: Option<ExecuteError>,
}

struct InFlight {
    cell: Cell,
    steps: usize,
}

impl<'a> RunRecorder<'a> {
    pub(crate) fn new(
        run: &'a mut RunWriter,
        stop: &'a Stop,
        report: &'a mut dyn FnMut(RunProgress),
        device: String,
        render: Vec<usize>,
        summary: Summary,
    ) -> RunRecorder<'a> {
        RunRecorder {
            plan: run.plan(),
            run,
            stop,
            report,
            device,
            todo: render.into_iter(),
            in_flight: HashMap::new(),
            summary,
            measured: Timings::default(),
            fatal: None,
        }
    }

    /// The next cell for the backend; none once somebody wants to stop or something broke.
    pub(crate) fn pull(&mut self) -> Option<Cell> {
        if self.stop.is_requested() || self.fatal.is_some() {
            return None;
        }
        match self.plan.cell(self.todo.next()?) {
            Ok(cell) => {
                self.in_flight.insert(cell.id, InFlight { cell: cell.clone(), steps: 0 });
                Some(cell)
            }
            Err(error) => {
                self.fatal = Some(error.into());
                None
            }
        }
    }

    /// Takes one event: records what ended, tells the rest.
    pub(crate) fn event(&mut self, event: Event) -> ControlFlow<()> {
        let taken = match event {
            // What is rendered is kept even when somebody wants to stop at once.
            Event::Finished { cell, image, seconds, remarks } => self.finish(&cell).and_then(|in_flight| {
                let record = self.run.finish(&in_flight.cell, &image, seconds, &self.device, remarks)?;
                let fingerprint = self.run.fingerprint(&in_flight.cell);
                let work = WorkKind::of(&in_flight.cell.settings, &fingerprint, &self.device);
                self.measured.add_cell(work, in_flight.steps as u64, seconds);
                self.summary.rendered += 1;
                (self.report)(RunProgress::Finished { record });
                Ok(())
            }),
            Event::Failed { cell, error } => self.finish(&cell).and_then(|in_flight| {
                let record = self.run.fail(&in_flight.cell, &error, &self.device)?;
                let label = self.plan.label(&in_flight.cell.coordinates);
                self.summary.failures.push(Failure { cell, label, error });
                (self.report)(RunProgress::Failed { record });
                Ok(())
            }),
            Event::Started { cell, steps } => {
                self.started(cell, steps);
                Ok(())
            }
            Event::Stepped { cell, step, steps } => {
                (self.report)(RunProgress::Stepped { cell, step, steps });
                Ok(())
            }
            Event::Loading { model } => {
                (self.report)(RunProgress::Loading { model });
                Ok(())
            }
            Event::Loaded { model, seconds } => {
                if let Some(card) = self.plan.models.get(&model) {
                    self.measured.add_load(&self.device, &card.fingerprint, seconds);
                }
                (self.report)(RunProgress::Loaded { model, seconds });
                Ok(())
            }
            Event::Warned { cell, warning } => {
                (self.report)(RunProgress::Warned { cell: Some(cell), warning });
                Ok(())
            }
        };
        if let Err(error) = taken {
            self.fatal.get_or_insert(error);
        }
        if self.fatal.is_some() || self.stop.is_urgent() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Checks that the backend has kept its promise: every cell pulled has ended, and none was left behind.
    pub(crate) fn check_finished(&self) -> Result<(), ExecuteError> {
        if self.stop.is_urgent() {
            return Ok(());
        }
        if let Some(cell) = self.in_flight.keys().min() {
            return Err(ExecuteError::contract(format!("cell {cell:?} was begun and never ended")));
        }
        if !self.stop.is_requested() && self.todo.len() > 0 {
            return Err(ExecuteError::contract(format!("{} cells were never begun", self.todo.len())));
        }
        Ok(())
    }

    /// What it all came to, and how long things took.
    pub(crate) fn into_parts(self) -> (Summary, Timings) {
        (self.summary, self.measured)
    }

    fn started(&mut self, cell: CellId, steps: usize) {
        let Some(in_flight) = self.in_flight.get_mut(&cell) else { return };
        in_flight.steps = steps;
        let label = self.plan.label(&in_flight.cell.coordinates);
        (self.report)(RunProgress::Started { cell, label, steps });
    }

    fn finish(&mut self, cell: &CellId) -> Result<InFlight, ExecuteError> {
        let finished = self.in_flight.remove(cell);
        finished.ok_or_else(|| ExecuteError::contract(format!("cell {cell:?} ended and was not in flight")))
    }
}
