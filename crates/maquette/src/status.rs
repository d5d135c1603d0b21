//! How far a run is, and who works on it.

use crate::Workspace;
use crate::error::Error;
use crate::plan::Experiment;
use crate::run::RunEvent;
use maquette_core::Dtype;
use maquette_store::{Run, Sharing, Status, Submission};

/// How far a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStatus {
    /// The run.
    pub run: Run,
    /// Distinct cells of its plan.
    pub cells: usize,
    /// Cells that are done.
    pub done: usize,
    /// Cells that failed.
    pub failed: usize,
    /// The workers in it, if a session of workers is open.
    pub sharing: Option<Sharing>,
    /// What was submitted to a queue last.
    pub submission: Option<Submission>,
}

impl Workspace {
    /// How far a run is. `run` is a name such as `mucha@2` or `mucha@latest`, a unique prefix, or a path.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found or cannot be read.
    pub fn status(&self, run: &str) -> Result<RunStatus, Error> {
        let run = self.runs.find(run)?;
        self.runs.bring(&run)?;
        let cells = maquette_planner::distinct(&run.plan()?)?.len();
        let log = run.log()?;
        let count = |status| log.iter().filter(|row| row.status() == status).count();
        let (done, failed) = (count(Status::Done), count(Status::Failed));
        let (sharing, submission) = (run.sharing()?, run.submission()?);
        Ok(RunStatus { run, cells, done, failed, sharing, submission })
    }

    /// Plans an experiment and starts its run for workers, or finds the one to go on with, and renders nothing. Downloads what is
    /// missing, so that the workers need not.
    ///
    /// # Errors
    ///
    /// As for [`Workspace::work`].
    pub fn prepare(
        &self,
        experiment: &Experiment,
        report: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<PreparedRun, Error> {
        self.prepare_bucket(report)?;
        let mut experiment = experiment.clone();
        let mut planned = self.plan_and_fetch(&experiment, &mut |event| report(RunEvent::Fetch(event)))?;
        // `auto` depends on the device: settled here, so that workers on other devices plan the same.
        let dtype = planned.plan.base.iter().find(|(name, _)| name == DTYPE);
        let dtype: Option<Dtype> = dtype.and_then(|(_, value)| value.to_string().parse().ok());
        let swept = planned
            .plan
            .axes
            .iter()
            .any(|axis| axis.values.iter().any(|value| value.set.iter().any(|(name, _)| name == DTYPE)));
        let dtype = dtype.filter(|_| !swept);
        if experiment.overrides.dtype.is_none() && dtype.is_some() {
            experiment.overrides.dtype = dtype;
            planned = self.plan(&experiment)?;
        }
        planned.notes.iter().for_each(|note| report(RunEvent::Note(note)));
        let writer = self.runs.join(&planned.plan.name, &planned.resolved, &planned.plan, &planned.source)?;
        Ok(PreparedRun { run: writer.run().clone(), dtype })
    }
}

const DTYPE: &str = "dtype";

/// A run for workers to join.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedRun {
    /// The run.
    pub run: Run,
    /// The precision that every worker must be given; `None` if the experiment sweeps it.
    pub dtype: Option<Dtype>,
}
