//! The next experiment: a TOML file from the picks and votes of a run.
//!
//! `narrow` decides which values of each axis stay, `exclude` which combinations of them are left out, and `promote` writes
//! the picks themselves with more steps or larger. The text is written by the planner's crate.

mod exclude;
mod files;
mod narrow;
mod promote;

use crate::error::Error;
use crate::ranking::{Ranking, ranking};
use crate::{Experiment, Workspace};
use maquette_core::{CellId, Choice, DerivedFrom, Mark, Plan, Setting};
use maquette_planner::ExperimentText;
use maquette_store::{Picks, Run, Votes, write_atomic};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// How the next experiment is made.
#[derive(Debug, Clone, Default)]
pub struct NextOptions {
    /// Render the picks again instead of new cells.
    pub promote: Option<Promote>,
    /// The file that the text is for. Its folder decides how paths are written; `None` if it is not known yet.
    pub file: Option<PathBuf>,
}

/// How picks are rendered again. Without either, the steps are doubled.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Promote {
    /// With that many steps.
    pub steps: Option<u32>,
    /// So many times as wide and high.
    pub scale: Option<f64>,
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

/// What a run was judged to be.
struct Judged<'a> {
    run: &'a Run,
    plan: &'a Plan,
    /// The indices of the picked cells in the plan, ascending, each cell once.
    picked: Vec<usize>,
    /// All indices of the rejected cells.
    rejected: Vec<usize>,
    ranking: Ranking,
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
        let (picked, rejected) = marked(&plan, &picks);
        let judged = Judged { run: &run, plan: &plan, picked, rejected, ranking };
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
        text.derived_from = Some(DerivedFrom { run: run.to_string(), cells: parents(&judged, &votes) });
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

/// The indices of the picked cells, each once, and all indices of the rejected ones.
fn marked(plan: &Plan, picks: &Picks) -> (Vec<usize>, Vec<usize>) {
    let marks: HashMap<CellId, Mark> =
        picks.cells.iter().filter_map(|(cell, pick)| Some((*cell, pick.mark?))).collect();
    let (mut picked, mut rejected) = (BTreeMap::new(), Vec::new());
    let indices = if marks.is_empty() { 0 } else { plan.len() };
    for index in 0..indices {
        let Ok(id) = plan.id(index) else { continue };
        match marks.get(&id) {
            Some(Mark::Pick) => _ = picked.entry(id).or_insert(index),
            Some(Mark::Reject) => rejected.push(index),
            None => {}
        }
    }
    let mut picked: Vec<usize> = picked.into_values().collect();
    picked.sort_unstable();
    (picked, rejected)
}

/// The cells that the next experiment is derived from: the picks, or without any those that were preferred more often than
/// the other one.
fn parents(judged: &Judged<'_>, votes: &Votes) -> Vec<CellId> {
    if !judged.picked.is_empty() {
        return judged.picked.iter().filter_map(|&index| judged.plan.id(index).ok()).collect();
    }
    let mut wins: BTreeMap<CellId, i64> = BTreeMap::new();
    for vote in &votes.votes {
        let (winner, loser) = match vote.choice {
            Choice::Left => (vote.left, vote.right),
            Choice::Right => (vote.right, vote.left),
            Choice::Tie | Choice::Bad => continue,
        };
        *wins.entry(winner).or_default() += 1;
        *wins.entry(loser).or_default() -= 1;
    }
    let ids = (0..judged.plan.len()).filter_map(|index| judged.plan.id(index).ok());
    // A cell that is in the grid several times is named once.
    ids.filter(|id| wins.remove(id).is_some_and(|wins| wins > 0)).collect()
}

/// The settings and placeholders of the plan that no axis of the new text sets.
fn constants(plan: &Plan, text: &mut ExperimentText, set: &[(String, maquette_core::Value)]) {
    let swept: Vec<String> = text
        .axes
        .iter()
        .filter_map(|axis| axis.values.first())
        .flat_map(|value| value.set.iter().map(|(name, _)| name.clone()))
        .collect();
    let mut all: Vec<(String, maquette_core::Value)> = plan.base.iter().chain(&plan.vars).cloned().collect();
    for (name, value) in set {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value.clone(),
            None => all.push((name.clone(), value.clone())),
        }
    }
    all.retain(|(name, _)| !swept.contains(name));
    let row = |name: &str| maquette_core::SETTINGS.iter().position(|setting| setting.name == name);
    let (mut settings, vars): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(name, _)| Setting::named(name).is_some());
    settings.sort_by_key(|(name, _)| row(name));
    (text.settings, text.vars) = (settings, vars);
}
