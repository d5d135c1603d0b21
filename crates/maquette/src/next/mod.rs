//! The next experiment: a TOML file from the picks and votes of a run.
//!
//! `narrow` decides which values of each axis stay, `exclude` which combinations of them are left out, and `promote` writes
//! the picks themselves with more steps or larger. The text is written by the planner's crate.

mod constants;
mod exclude;
mod files;
mod judged;
mod narrow;
mod promote;

pub use promote::Promote;

use crate::error::Error;
use crate::ranking::ranking;
use crate::{Experiment, Workspace};
use judged::Judged;
use maquette_core::{DerivedFrom, Mark, Plan, SUBJECT};
use maquette_planner::{ExperimentText, SubjectText};
use maquette_store::{Run, write_atomic};
use std::path::{Path, PathBuf};

/// How the next experiment is made.
#[derive(Debug, Clone, Default)]
pub struct NextOptions {
    /// Render the picks again instead of new cells.
    pub promote: Option<Promote>,
    /// The file that the text is for. Its folder decides how paths are written; `None` if it is not known yet.
    pub file: Option<PathBuf>,
}

/// The next experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct NextExperiment {
    /// The experiment file.
    pub text: String,
    /// What was decided and why, each a sentence without its full stop.
    pub decisions: Vec<String>,
    /// What is wrong with picks, votes or the new file, each a sentence without its full stop.
    pub problems: Vec<String>,
}

impl Workspace {
    /// The next experiment after a run, by its picks and votes: winning values stay, numbers get a finer range around
    /// them, seeds are new, and values that were never picked are left out. `run` is a name such as `mucha@2`, a unique
    /// prefix, or a path.
    ///
    /// # Errors
    ///
    /// [`Error::NothingPicked`] without picks and votes; [`Error::CannotPromote`]; [`Error::Store`] if the run is not found,
    /// or if its plan, picks or votes cannot be read.
    pub fn next(&self, run: &str, options: &NextOptions) -> Result<NextExperiment, Error> {
        let run = self.runs.find(run)?;
        let plan = run.plan()?;
        let (picks, votes) = (run.picks()?, run.votes()?);
        let ranking = ranking(&run, &plan)?;
        let mut problems = picks.problems.clone();
        problems.extend(votes.problems.iter().cloned());
        let judged = Judged::of(&run, &plan, &picks, ranking);
        let nothing = match options.promote {
            Some(_) => judged.picked.is_empty(),
            None => judged.picked.is_empty() && judged.ranking.entered == 0,
        };
        if nothing {
            return Err(Error::NothingPicked {
                run: run.to_string(),
                votes: judged.ranking.votes,
                rejected: picks.marked(Mark::Reject).count(),
                promote: options.promote.is_some(),
            });
        }
        let mut decisions = Vec::new();
        let mut text = match options.promote {
            Some(promote) => promote::promoted(&judged, promote, &mut decisions)?,
            None => narrow::narrowed(&judged, &mut decisions)?,
        };
        text.title.clone_from(&plan.title);
        layout_and_metrics(&plan, &mut text, &mut decisions);
        text.derived_from = Some(DerivedFrom { run: run.to_string(), cells: judged.parents(&votes) });
        text.subjects = used_subjects(&run, &text);
        let nearby = self.nearby(&run.dir().join("plan.json"));
        files::place(&mut text, &judged, &nearby, options.file.as_deref(), &mut problems);
        let text = text.text();
        match self.plan(&Experiment { text: Some(text.clone()), ..Experiment::at(file(options, &run)) }) {
            Ok(planned) => {
                let (cells, before) = (planned.plan.len(), plan.len());
                decisions.push(format!("{cells} cells; {run} has {before}"));
            }
            Err(error) => problems.push(format!("it cannot be planned here: {}", why(&error))),
        }
        Ok(NextExperiment { text, decisions, problems })
    }
}

impl NextExperiment {
    /// Writes the text into a new file.
    ///
    /// # Errors
    ///
    /// [`Error::FileExists`]; [`Error::Store`] if it cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), Error> {
        if file.exists() {
            return Err(Error::FileExists { file: file.to_owned() });
        }
        Ok(write_atomic(file, self.text.as_bytes())?)
    }
}

/// The subjects of a run that a new experiment still has.
fn used_subjects(run: &Run, text: &ExperimentText) -> Vec<SubjectText> {
    let swept = text.axes.iter().flat_map(|axis| &axis.values).flat_map(|value| &value.set);
    let values = text.vars.iter().chain(swept).filter(|(name, _)| name == SUBJECT);
    let used: Vec<String> = values.map(|(_, value)| value.to_string()).collect();
    let mut subjects = maquette_planner::subjects(&run.experiment().unwrap_or_default());
    subjects.retain(|subject| used.contains(&subject.name));
    subjects
}

/// Carries on `[sheet]` and `[metrics]`. What names an axis that the new experiment does not have is left out.
fn layout_and_metrics(plan: &Plan, text: &mut ExperimentText, decisions: &mut Vec<String>) {
    (text.sheet, text.metrics) = (plan.sheet.clone(), plan.metrics.clone());
    let (sheet, metrics) = (&mut text.sheet, &mut text.metrics);
    let named = [
        ("rows of [sheet]", &mut sheet.rows),
        ("columns of [sheet]", &mut sheet.columns),
        ("neighbours of [metrics]", &mut metrics.neighbours),
    ];
    for (what, axis) in named {
        let gone = axis.take_if(|axis| text.axes.iter().all(|known| known.name != *axis));
        if let Some(axis) = gone {
            decisions.push(format!("{what}: left out, as there is no axis `{axis}`"));
        }
    }
}

/// The file to plan: the name of a text that has no file yet does not matter.
fn file(options: &NextOptions, run: &Run) -> PathBuf {
    options.file.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", run.name())))
}

/// An error with the first of its problems.
fn why(error: &Error) -> String {
    match error {
        Error::Plan(problems) => {
            problems.problems.first().map_or_else(|| error.to_string(), ToString::to_string)
        }
        _ => crate::with_causes(error),
    }
}
