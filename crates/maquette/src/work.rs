//! Working on a run that other processes work on, too.

use crate::Workspace;
use crate::error::Error;
use crate::metric_models::ModelNames;
use crate::plan::{Experiment, PlannedExperiment};
use crate::report_state::{remember_report, report_inputs};
use crate::run::{RunEvent, draw_sheets, measure, write_page};
use crate::training::CellsOfRun;
use maquette_executor::{SharedSummary, Stop, Summary, Worker, execute_shared};
use maquette_store::Run;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How a worker takes part in a run.
#[derive(Debug, Clone)]
pub struct WorkOptions {
    /// Its name, for people. No two workers should have the same.
    pub name: String,
    /// After which time without a sign of life a worker counts as dead; the same for every worker of a run. It must be longer
    /// than a shared folder may take to show a new file, which is up to 60 s on NFS.
    pub lease: Duration,
    /// Maximum rows per UNet call, two for each guided picture; `None` chooses it by picture size.
    pub rows: Option<usize>,
    /// Draw the contact sheets and write the page if this worker is the last one to finish.
    pub sheets: bool,
    /// Download models that are on the hub but not on this machine.
    pub download: bool,
}

/// What a worker did.
#[derive(Debug)]
pub struct WorkResult {
    /// The run.
    pub run: Run,
    /// How many cells this worker dealt with; `total` and `done` are those of the run when it joined.
    pub summary: Summary,
    /// Whether it was the last one to finish, so that what follows was made.
    pub finished: bool,
    /// Chunks of cells that others took over because this worker was silent for too long.
    pub lost: usize,
    /// The log, if every row is in it.
    pub log: Option<PathBuf>,
    /// The contact sheets, in the order of the pages.
    pub sheets: Vec<PathBuf>,
    /// The page, for a browser.
    pub page: Option<PathBuf>,
}

impl WorkOptions {
    /// The lease of workers unless another is given.
    pub const LEASE: Duration = Duration::from_secs(120);

    /// A worker of that name with the usual lease, rows chosen by size, with sheets, page and downloads.
    pub fn named(name: impl Into<String>) -> WorkOptions {
        WorkOptions { name: name.into(), lease: WorkOptions::LEASE, rows: None, sheets: true, download: true }
    }
}

/// How long the last worker waits for others to leave the run, at least.
const LEAVING: Duration = Duration::from_secs(2);

impl Workspace {
    /// Works on a run that any number of processes with the same runs folder share. Starts the run, or joins it; claims cells,
    /// renders and records them until every cell has ended. The last worker to finish draws the sheets and writes the page.
    ///
    /// A requested `stop` ends the work early without an error; the cells that were claimed and not begun are given back.
    ///
    /// # Errors
    ///
    /// As for [`Workspace::run`]; [`Error::Store`] if a process that is not a worker renders into the run, or if the bucket cannot be
    /// written. Pictures that are finished by then are kept on this machine, and the next worker here sends them.
    pub fn work(
        &self,
        experiment: &Experiment,
        options: &WorkOptions,
        stop: &Stop,
        report: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<WorkResult, Error> {
        self.prepare_bucket(report)?;
        let worked = self.work_prepared(experiment, options, stop, report);
        if let Some((unsent, folder)) = self.runs.unsent() {
            report(RunEvent::Warning(format!(
                "finished pictures that could not be sent: {unsent}, in `{}`; the next worker on this machine sends them",
                folder.display()
            )));
        }
        worked
    }

    /// Before runs are written: checks a bucket, and sends what earlier workers on this machine could not.
    pub(crate) fn prepare_bucket(&self, report: &mut dyn FnMut(RunEvent<'_>)) -> Result<(), Error> {
        let sent = self.runs.prepare_bucket()?;
        if sent > 0 {
            let note =
                format!("finished pictures of earlier workers on this machine that were sent now: {sent}");
            report(RunEvent::Note(&note));
        }
        Ok(())
    }

    fn work_prepared(
        &self,
        experiment: &Experiment,
        options: &WorkOptions,
        stop: &Stop,
        report: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<WorkResult, Error> {
        let planned = match options.download {
            true => self.plan_and_fetch(experiment, &mut |event| report(RunEvent::Fetch(event)))?,
            false => self.plan(experiment)?,
        };
        let PlannedExperiment { plan, distinct, resolved, source, notes, base } = planned;
        if let Some(training) = plan.trainings.first().filter(|_| self.runs.is_bucket()) {
            return Err(Error::TrainingInBucket { subject: training.subject.clone() });
        }
        let mut backend = self.backend_of_run(&base, options.rows, &plan)?;
        let mut writer = self.runs.join(&plan.name, &resolved, &plan, &source)?;
        if !self.runs.without_pictures(distinct.iter()).is_empty() {
            writer.set_hashes(self.hashes(&plan, &base));
        }
        let plan_drawn = plan.drawn;
        let plan = writer.plan();
        let cells = if plan.drawn == plan_drawn { distinct } else { maquette_planner::distinct(&plan)? };
        notes.iter().for_each(|note| report(RunEvent::Note(note)));
        let (run, device) = (writer.run().clone(), backend.device());
        report(RunEvent::Started { run: &run, device, reason: writer.start_reason() });

        // Of several workers one trains, and the others wait for its weights.
        let of = CellsOfRun { run: &run, plan: &plan, base: &base, cells: &cells };
        self.train_for_run(&of, stop, false, report)?;
        let start = Instant::now();
        let worker = Worker { name: &options.name, lease: options.lease, clock: &|| start.elapsed() };
        let mut progress = |progress| report(RunEvent::Progress(&progress));
        let worked = execute_shared(&worker, &cells, backend.as_mut(), &writer, stop, &mut progress);
        report(RunEvent::Rendered);
        let SharedSummary { summary, finishes, lost } = worked?;
        let mut result =
            WorkResult { run, summary, finished: finishes, lost, log: None, sheets: vec![], page: None };
        if !finishes {
            writer.leave()?;
            return Ok(result);
        }
        let run = &result.run;
        let seen = writer.bring_all()?;
        // The page needs the pictures beside it, which are elsewhere in a bucket.
        let page = options.sheets && !self.runs.is_bucket();
        if options.sheets {
            result.sheets = draw_sheets(run, &plan, report);
        }
        if page {
            result.page = write_page(&self.runs, run, &plan, report);
        }
        let models = self.metric_models(run, &plan, &ModelNames::new());
        if self.runs.is_bucket() {
            // On the copy here: the log is written into the bucket once, with what was measured.
            measure(run, &plan, &result.summary, &models, report);
        }
        if !writer.end_session(seen)? {
            (result.finished, result.sheets) = (false, Vec::new());
            return Ok(result);
        }
        // The others leave when they look next.
        if writer.fold(LEAVING + options.lease / 16)? {
            result.log = Some(run.dir().join("log.csv"));
        }
        if self.runs.is_bucket() {
            result.log = result.log.map(|log| self.runs.shown(&log));
            result.sheets.iter_mut().for_each(|sheet| *sheet = self.runs.shown(sheet));
        } else if result.log.is_some() {
            measure(run, &plan, &result.summary, &models, report);
        }
        if page {
            // No process is in the run any more, and there may be metrics. Folding rows changes no sheet.
            let inputs = report_inputs(&self.runs, run, &plan).filter(|_| result.log.is_some());
            result.page = write_page(&self.runs, run, &plan, report);
            remember_report(run, inputs, &result.sheets, result.page.as_ref());
        }
        Ok(result)
    }
}
