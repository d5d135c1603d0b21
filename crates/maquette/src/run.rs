//! Running an experiment: plan it, render the missing cells, draw the sheets.

use crate::Workspace;
use crate::assets::fetch::FetchEvent;
use crate::draft::{DraftOptions, Drafts, final_pass};
use crate::error::{Error, with_causes};
use crate::plan::{Experiment, PlannedExperiment};
use crate::{memory, sheets};
use maquette_core::{Backend, CellId, DraftSettings, Plan};
use maquette_executor::{Pass, RunProgress, Stop, Summary, execute};
use maquette_store::{Run, RunWriter, Shard, StartReason, Timings};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

/// How to run an experiment.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Render only this share of the cells.
    pub shard: Option<Shard>,
    /// Maximum rows per UNet call, two for each guided picture; `None` chooses it by picture size.
    pub rows: Option<usize>,
    /// Draw the contact sheets, at the end and from time to time during the run.
    pub sheets: bool,
    /// Download models that are on the hub but not on this machine.
    pub download: bool,
    /// Render a draft of every cell first, then replace drafts, the most promising cells first.
    pub draft: Option<DraftOptions>,
}

impl Default for RunOptions {
    /// Every cell, rows chosen by size, with sheets and downloads.
    fn default() -> RunOptions {
        RunOptions { shard: None, rows: None, sheets: true, download: true, draft: None }
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
    /// The progress of a cell.
    Progress(&'a RunProgress),
    /// Every cell has ended, or the run was stopped; only sheets are still to be drawn.
    Rendered,
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
}

impl RunResult {
    /// The log: a row per cell, a column per setting.
    pub fn log(&self) -> PathBuf {
        self.run.dir().join("log.csv")
    }
}

impl Workspace {
    /// Runs an experiment: reuses the cells that other runs have finished, renders the missing ones, records each cell as it
    /// ends, draws the sheets. An unchanged experiment resumes its newest run; a changed one starts a new run.
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
        let mut backend = self.backend(&base, options.rows)?;
        let mut writer = self.runs.start(&plan.name, &resolved, &plan, &source, options.shard)?;
        if distinct.iter().any(|(_, id)| !writer.has_picture(id)) {
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
        let drafts = match &options.draft {
            Some(how) => {
                let how = self.draft_settings(&plan, &base, how);
                let backend = backend.as_mut();
                match render_drafts(&cells, how, backend, &mut writer, stop, options.sheets, report) {
                    Ok(drafts) => drafts,
                    Err(error) => {
                        report(RunEvent::Rendered);
                        return Err(error);
                    }
                }
            }
            None => None,
        };
        let pass = match options.draft {
            Some(_) => final_pass(&run, &plan, cells),
            None => Pass::over(&plan, cells),
        };
        let summary = render(pass, backend.as_mut(), &mut writer, stop, options.sheets, report);
        report(RunEvent::Rendered);
        let summary = summary?;
        remember_memory(&writer, &summary);
        drop(writer);

        let sheets = if options.sheets { draw_sheets(&run, &plan, report) } else { Vec::new() };
        Ok(RunResult { run, summary, drafts, sheets })
    }
}

/// Renders drafts of the cells that have no picture yet; `None` if there are none to render.
fn render_drafts(
    cells: &[(usize, CellId)],
    how: DraftSettings,
    backend: &mut dyn Backend,
    writer: &mut RunWriter,
    stop: &Stop,
    with_sheets: bool,
    report: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Option<Summary>, Error> {
    let plan = writer.plan();
    let left = cells.iter().filter(|(_, id)| !writer.is_logged(id) && !writer.has_picture(id)).copied();
    let drafts = Drafts::of(&plan, how, left.collect::<Vec<_>>().into_iter())?;
    if drafts.cells.is_empty() {
        return Ok(None);
    }
    writer.begin_drafts(drafts.finals.clone())?;
    let summary = render(drafts.pass(&plan), backend, writer, stop, with_sheets, report);
    writer.end_drafts();
    let summary = summary?;
    if with_sheets && !stop.is_requested() {
        draw_sheets(writer.run(), &plan, report);
    }
    Ok(Some(summary))
}

/// Draws the sheets. Failing to is a warning: the pictures exist, and `report` can draw the sheets later.
fn draw_sheets(run: &Run, plan: &Plan, report: &mut dyn FnMut(RunEvent<'_>)) -> Vec<PathBuf> {
    let drawn = sheets::draw(run, plan, &mut |text| report(RunEvent::Warning(text.to_owned())));
    drawn.unwrap_or_else(|error| {
        report(RunEvent::Warning(format!("the sheets could not be drawn: {}", with_causes(&error))));
        Vec::new()
    })
}

/// Renders what is missing in one pass over a run and draws the sheets meanwhile.
fn render(
    pass: Pass<'_>,
    backend: &mut dyn Backend,
    writer: &mut RunWriter,
    stop: &Stop,
    with_sheets: bool,
    report: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Summary, Error> {
    let (run, plan) = (writer.run().clone(), writer.plan());
    let (ended, endings): (Sender<usize>, Receiver<usize>) = channel();
    let (warn, warnings) = channel();
    let summary = std::thread::scope(|scope| {
        let run = &run;
        let drawn_plan = &plan;
        if with_sheets {
            scope.spawn(move || sheets::keep_drawing(run, drawn_plan, endings, &warn));
        }
        let summary = execute(pass, backend, writer, stop, &mut |progress| {
            if let RunProgress::Finished { record } | RunProgress::Failed { record } = &progress
                && let Some(index) = plan.index_at(&record.cell.coordinates)
            {
                // Without sheets the receiver is gone.
                let _ = ended.send(index);
            }
            report(RunEvent::Progress(&progress));
            warnings.try_iter().for_each(|warning| report(RunEvent::Warning(warning)));
        });
        drop(ended);
        summary
    });
    warnings.try_iter().for_each(|warning| report(RunEvent::Warning(warning)));
    Ok(summary?)
}

/// Records the peak memory of this process for the kinds of cells it rendered; estimates are based on it.
fn remember_memory(writer: &RunWriter, summary: &Summary) {
    let Some(peak) = memory::peak() else { return };
    let mut measured = Timings::default();
    summary.kinds.iter().for_each(|kind| measured.add_memory(kind.clone(), peak));
    // A run does not fail because measurements cannot be saved.
    let _ = writer.remember(&measured);
}
