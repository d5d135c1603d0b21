//! Running an experiment: plan it, render the missing cells, draw the sheets.

use crate::Workspace;
use crate::assets::fetch::FetchEvent;
use crate::draft::{DraftOptions, Drafts, final_pass};
use crate::error::{Error, with_causes};
use crate::measure::{is_measured, measure_run, metric_list, named, not_measured};
use crate::metric_models::{MetricModels, ModelNames};
use crate::plan::{Experiment, PlannedExperiment};
use crate::report_state::{remember_report, report_inputs};
use crate::training::{CellsOfRun, TrainingProgress};
use crate::{memory, page, sheets};
use maquette_core::{Backend, CellId, DraftSettings, Plan};
use maquette_executor::{Pass, RunProgress, Stop, Summary, execute};
use maquette_metrics::Metric;
use maquette_store::{Run, RunWriter, Runs, Shard, StartReason, Timings};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

/// How to run an experiment.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Render only this share of the cells.
    pub shard: Option<Shard>,
    /// Maximum rows per UNet call, two for each guided picture; `None` chooses it by picture size.
    pub rows: Option<usize>,
    /// Draw the contact sheets and write the page, at the end and from time to time during the run.
    pub sheets: bool,
    /// Download models that are on the hub but not on this machine.
    pub download: bool,
    /// Render a draft of every cell first, then replace drafts, the most promising cells first.
    pub draft: Option<DraftOptions>,
    /// Stop after the first cell that fails, when the cells in flight have ended.
    pub fail_fast: bool,
}

impl Default for RunOptions {
    /// Every cell, rows chosen by size, with sheets, page and downloads.
    fn default() -> RunOptions {
        RunOptions { shard: None, rows: None, sheets: true, download: true, draft: None, fail_fast: false }
    }
}

/// The events of a run, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunEvent<'a> {
    /// A model is being downloaded.
    Fetch(FetchEvent<'a>),
    /// A note on the experiment, a sentence without its full stop.
    Note(&'a str),
    /// The run's folder exists and rendering begins. From here on `stop` has an effect.
    Started {
        /// The run.
        run: &'a Run,
        /// The device, such as `cpu`.
        device: String,
        /// Why the run was resumed or a new one started.
        reason: StartReason,
    },
    /// The page of the run is there; it fills in by itself while there is something to render.
    Page(&'a Path),
    /// The progress of a training, before the cells.
    Training(&'a TrainingProgress<'a>),
    /// The progress of a cell.
    Progress(&'a RunProgress),
    /// Every cell has ended, or the run was stopped; only sheets and the page are still to be made.
    Rendered,
    /// The pictures are being measured: how many are done, and how many there are.
    Measuring {
        /// The metrics.
        metrics: &'a [&'static Metric],
        /// How many pictures are measured.
        done: usize,
        /// How many pictures there are.
        pictures: usize,
    },
    /// A problem that does not affect any cell, a sentence without its full stop.
    Warning(String),
}

/// The result of a run.
#[derive(Debug)]
pub struct RunResult {
    /// The run.
    pub run: Run,
    /// How many cells ended in which way.
    pub summary: Summary,
    /// The same for the drafts, if there were any to render.
    pub drafts: Option<Summary>,
    /// Its contact sheets, in the order of the pages.
    pub sheets: Vec<PathBuf>,
    /// Its page, for a browser.
    pub page: Option<PathBuf>,
}

impl RunResult {
    /// The log: a row per cell, a column per setting.
    pub fn log(&self) -> PathBuf {
        self.run.dir().join("log.csv")
    }
}

impl Workspace {
    /// Runs an experiment: reuses the cells that other runs have finished, renders the missing ones, records each cell as it
    /// ends, draws the sheets, writes the page. An unchanged experiment resumes its newest run; a changed one starts a new run.
    ///
    /// A requested `stop` ends the run early without an error; see [`Summary::interrupted`].
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::plan`]; [`Error::Store`] if the run is in use or its folder cannot be written;
    /// [`Error::Execute`] if the engine stops. A failed cell is not an error: it is in the summary and in the log.
    pub fn run(
        &self,
        experiment: &Experiment,
        options: &RunOptions,
        stop: &Stop,
        report: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<RunResult, Error> {
        let planned = match options.download {
            true => self.plan_and_fetch(experiment, &mut |event| report(RunEvent::Fetch(event)))?,
            false => self.plan(experiment)?,
        };
        let PlannedExperiment { plan, distinct, resolved, source, notes, base } = planned;
        let page_reported = Cell::new(false);
        let report = &mut |event: RunEvent<'_>| {
            page_reported.set(page_reported.get() || matches!(event, RunEvent::Page(_)));
            report(event);
        };
        let mut backend = self.backend_of_run(&base, options.rows, &plan)?;
        let mut writer = self.runs.start(&plan.name, &resolved, &plan, &source, options.shard)?;
        if !self.runs.without_pictures(distinct.iter()).is_empty() {
            writer.set_hashes(self.hashes(&plan, &base));
        }
        // A resumed run may have other drawn seeds than this plan; otherwise the cells are those just planned.
        let plan_drawn = plan.drawn;
        let plan = writer.plan();
        let cells = if plan.drawn == plan_drawn { distinct } else { maquette_planner::distinct(&plan)? };
        notes.iter().for_each(|note| report(RunEvent::Note(note)));
        let (run, device) = (writer.run().clone(), backend.device());
        report(RunEvent::Started { run: &run, device, reason: writer.start_reason() });

        let cells = writer.share(&cells);
        let of = CellsOfRun { run: &run, plan: &plan, base: &base, cells: &cells };
        if let Err(error) = self.train_for_run(&of, stop, options.sheets, report) {
            drop(writer);
            // The page must not say that the run goes on.
            let _ = options.sheets.then(|| write_page(&self.runs, &run, &plan, report));
            return Err(error);
        }
        let (runs, with_sheets) = (&self.runs, options.sheets);
        let fail_fast = options.fail_fast;
        let mut to =
            Rendering { runs, backend: backend.as_mut(), writer: &mut writer, stop, with_sheets, fail_fast };
        let drafts = match &options.draft {
            Some(how) => render_drafts(&mut to, &cells, self.draft_settings(&plan, &base, how), report),
            None => Ok(None),
        };
        let pass = match options.draft {
            Some(_) => final_pass(&run, &plan, cells),
            None => Pass::over(&plan, cells),
        };
        let rendered = drafts.and_then(|drafts| Ok((drafts, render(&mut to, pass, report)?)));
        report(RunEvent::Rendered);
        let (drafts, summary) = match rendered {
            Ok(rendered) => rendered,
            Err(error) => {
                drop(writer);
                // The page must not say that the run goes on.
                let _ = options.sheets.then(|| write_page(&self.runs, &run, &plan, report));
                return Err(error);
            }
        };
        remember_memory(&writer, &summary);
        let shows_the_log = options.shard.is_none() && options.draft.is_none() && writer.notices_edits();
        drop(writer);
        if options.sheets && !summary.failures.is_empty() {
            // Until now the page says that they may be tried again; measuring and drawing may take long.
            write_page(&self.runs, &run, &plan, report);
        }
        if !summary.interrupted {
            let models = self.metric_models(&run, &plan, &ModelNames::new());
            measure(&run, &plan, &summary, &models, report);
        }

        let inputs = if shows_the_log { report_inputs(&self.runs, &run, &plan) } else { None };
        let current = inputs.filter(|_| options.sheets && summary.done == summary.total);
        let (sheets, page) = match current.and_then(|inputs| run.current_sheets(&inputs)) {
            Some(sheets) => (sheets, Some(run.page())),
            None if options.sheets => {
                let sheets = draw_sheets(&run, &plan, report);
                let page = write_page(&self.runs, &run, &plan, report);
                remember_report(&run, inputs, &sheets, page.as_ref());
                (sheets, page)
            }
            None => (Vec::new(), None),
        };
        if let Some(page) = page.as_ref().filter(|_| !page_reported.get()) {
            report(RunEvent::Page(page));
        }
        Ok(RunResult { run, summary, drafts, sheets, page })
    }
}

/// What cells are rendered with, and into.
struct Rendering<'a> {
    runs: &'a Runs,
    backend: &'a mut dyn Backend,
    writer: &'a mut RunWriter,
    stop: &'a Stop,
    /// Whether sheets are drawn and the page is written.
    with_sheets: bool,
    /// Whether to stop after the first cell that fails.
    fail_fast: bool,
}

/// Renders drafts of the cells that have no picture yet; `None` if there are none to render.
fn render_drafts(
    to: &mut Rendering<'_>,
    cells: &[(usize, CellId)],
    how: DraftSettings,
    report: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Option<Summary>, Error> {
    let (plan, writer) = (to.writer.plan(), &mut *to.writer);
    let left = cells.iter().filter(|(_, id)| !writer.is_logged(id) && !writer.has_picture(id)).copied();
    let drafts = Drafts::of(&plan, how, left.collect::<Vec<_>>().into_iter())?;
    if drafts.cells.is_empty() {
        return Ok(None);
    }
    writer.begin_drafts(drafts.finals.clone())?;
    let summary = render(to, drafts.pass(&plan), report);
    to.writer.end_drafts();
    let summary = summary?;
    if to.with_sheets && !to.stop.is_requested() {
        draw_sheets(to.writer.run(), &plan, report);
    }
    Ok(Some(summary))
}

/// Draws the sheets. Failing to is a warning: the pictures exist, and `report` can draw the sheets later.
pub(crate) fn draw_sheets(run: &Run, plan: &Plan, report: &mut dyn FnMut(RunEvent<'_>)) -> Vec<PathBuf> {
    let drawn = sheets::draw(run, plan, &mut |text| report(RunEvent::Warning(text.to_owned())));
    drawn.unwrap_or_else(|error| {
        report(RunEvent::Warning(format!("the sheets could not be drawn: {}", with_causes(&error))));
        Vec::new()
    })
}

/// Writes the page. Failing to is a warning, likewise.
pub(crate) fn write_page(
    runs: &Runs,
    run: &Run,
    plan: &Plan,
    report: &mut dyn FnMut(RunEvent<'_>),
) -> Option<PathBuf> {
    let written = page::write(runs, run, plan, &mut |text| report(RunEvent::Warning(text.to_owned())));
    let refused = |error: &Error| {
        report(RunEvent::Warning(format!("the page could not be written: {}", with_causes(error))));
    };
    written.inspect_err(refused).ok()
}

/// Renders what is missing in one pass over a run; meanwhile draws the sheets and writes the page.
fn render(
    to: &mut Rendering<'_>,
    pass: Pass<'_>,
    report: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Summary, Error> {
    let Rendering { runs, stop, with_sheets, fail_fast, .. } = *to;
    let (backend, writer) = (&mut *to.backend, &mut *to.writer);
    let (run, plan) = (writer.run().clone(), writer.plan());
    let (ended, endings): (Sender<usize>, Receiver<usize>) = channel();
    let (warn, warnings) = channel();
    let (page_changed, page_changes) = channel();
    let (page_written, pages) = channel();
    let summary = std::thread::scope(|scope| {
        let run = &run;
        let drawn_plan = &plan;
        if with_sheets {
            scope.spawn(move || sheets::keep_drawing(run, drawn_plan, endings, &warn));
            scope.spawn(move || page::keep_writing(runs, run, drawn_plan, page_changes, &page_written));
        }
        let summary = execute(pass, backend, writer, stop, &mut |progress| {
            if let RunProgress::Planned { todo, reused, .. } = &progress
                && todo + reused > 0
            {
                let _ = page_changed.send(());
            }
            if let RunProgress::Finished { record } | RunProgress::Failed { record } = &progress
                && let Some(index) = plan.index_at(&record.cell.coordinates)
            {
                // Without sheets the receiver is gone.
                let _ = ended.send(index);
                let _ = page_changed.send(());
            }
            if fail_fast && matches!(progress, RunProgress::Failed { .. }) && !stop.is_requested() {
                stop.request();
            }
            report(RunEvent::Progress(&progress));
            pass_on(&warnings, &pages, report);
        });
        drop((ended, page_changed));
        summary
    });
    pass_on(&warnings, &pages, report);
    Ok(summary?)
}

/// Reports what the threads for sheets and page have sent.
fn pass_on(
    warnings: &Receiver<String>,
    pages: &Receiver<Result<PathBuf, String>>,
    report: &mut dyn FnMut(RunEvent<'_>),
) {
    warnings.try_iter().for_each(|warning| report(RunEvent::Warning(warning)));
    pages.try_iter().for_each(|page| match page {
        Ok(page) => report(RunEvent::Page(&page)),
        Err(warning) => report(RunEvent::Warning(warning)),
    });
}

/// Measures the metrics that the experiment names. A problem is a warning: `maquette measure` can try again. Where a model is
/// missing, the other metrics are measured.
pub(crate) fn measure(
    run: &Run,
    plan: &Plan,
    summary: &Summary,
    models: &MetricModels,
    report: &mut dyn FnMut(RunEvent<'_>),
) {
    let mut warnings = Vec::new();
    let metrics = match named(&plan.metrics.measure) {
        Ok(metrics) => metrics,
        Err(error) => return report(RunEvent::Warning(not_measured("the pictures", &error))),
    };
    // The log is not read if nothing is to be measured.
    if metrics.is_empty() || summary.rendered + summary.reused == 0 && is_measured(run, &metrics) {
        return;
    }
    let mut unavailable = |metrics: &[&'static Metric], error: Error| {
        warnings.push(not_measured(&metric_list(metrics), &error));
        Ok(())
    };
    let mut progress = |metrics: &[&'static Metric], done, pictures| {
        report(RunEvent::Measuring { metrics, done, pictures });
    };
    match measure_run(run, plan, &metrics, models, &mut unavailable, &mut progress) {
        Ok(measurement) => warnings.extend(measurement.notes),
        Err(error) => warnings.push(not_measured("the pictures", &error)),
    }
    warnings.into_iter().for_each(|warning| report(RunEvent::Warning(warning)));
}

/// Records the peak memory of this process for the kinds of cells it rendered; estimates are based on it.
fn remember_memory(writer: &RunWriter, summary: &Summary) {
    let Some(peak) = memory::peak() else { return };
    let mut measured = Timings::default();
    summary.kinds.iter().for_each(|kind| measured.add_memory(kind.clone(), peak));
    // A run does not fail because measurements cannot be saved.
    let _ = writer.remember(&measured);
}
