//! Training: the trainings that cells depend on, before these are rendered.
//!
//! The weights are named by their training and stored once in the runs folder, so that every experiment with the same
//! pictures and settings uses them. A training that was interrupted goes on from its last saved state.

mod cells_of_run;
mod forecast;
mod needed;
mod of_run;
mod one;
mod pictures;
mod progress;
mod words;

use crate::Workspace;
use crate::assets::fetch::FetchEvent;
use crate::error::Error;
use crate::plan::{Experiment, PlannedExperiment};
use crate::workspace::Renderer;
pub(crate) use cells_of_run::CellsOfRun;
pub use forecast::TrainingForecast;
pub(crate) use forecast::training_forecast;
use maquette_core::{CellId, Digest, Plan};
use maquette_executor::Stop;
use maquette_files::limits;
use maquette_store::{StoreError, write_atomic};
pub(crate) use needed::{Needed, is_untrained, needed};
pub use progress::TrainingProgress;
use std::path::{Path, PathBuf};
pub(crate) use words::word_notes;

/// An event of [`Workspace::train`].
#[derive(Debug)]
#[non_exhaustive]
pub enum TrainEvent<'a> {
    /// A model is being downloaded.
    Fetch(FetchEvent<'a>),
    /// A note on the experiment, a sentence without its full stop.
    Note(&'a str),
    /// Planning is over; from here on `stop` has an effect.
    Planned,
    /// The progress of a training.
    Progress(&'a TrainingProgress<'a>),
}

/// The weights of a subject after a number of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedWeights {
    /// The subject.
    pub subject: String,
    /// The model that it was trained on, as written.
    pub model: String,
    /// The steps.
    pub step: u32,
    /// The name of the weights.
    pub digest: Digest,
    /// The file: a LoRA or a textual inversion for diffusers, A1111 and ComfyUI.
    pub file: PathBuf,
}

impl TrainedWeights {
    /// Copies the file into a folder under the name of its subject, and its steps and model where `all` has several, and
    /// returns the path. Replaces a file of that name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the file cannot be read, or the copy not be written.
    pub fn copy_to(&self, folder: &Path, all: &TrainResult) -> Result<PathBuf, Error> {
        let same = || all.weights.iter().filter(|other| other.subject == self.subject);
        let mut name = self.subject.clone();
        if same().any(|other| other.model != self.model) {
            let model = self.model.rsplit(['/', '\\']).next().unwrap_or_default();
            name += &format!("-{model}");
        }
        if same().any(|other| other.step != self.step) {
            name += &format!("-{}", self.step);
        }
        let bytes = maquette_files::read(&self.file, limits::WEIGHTS);
        let bytes =
            bytes.map_err(|source| StoreError::Io { doing: "read", path: self.file.clone(), source })?;
        let copy = folder.join(format!("{name}.safetensors"));
        write_atomic(&copy, &bytes)?;
        Ok(copy)
    }
}

/// What [`Workspace::train`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainResult {
    /// All weights that the experiment's cells need, as far as they exist.
    pub weights: Vec<TrainedWeights>,
    /// How many trainings were done now.
    pub trained: usize,
    /// Whether it was stopped.
    pub interrupted: bool,
}

impl Workspace {
    /// Does the trainings of an experiment, without rendering its cells. What was trained before is not trained again.
    ///
    /// A requested `stop` ends it early without an error; the next call goes on after the last step.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::plan`]; [`Error::NoTraining`] if the experiment has none; [`Error::Train`] if one fails.
    pub fn train(
        &self,
        experiment: &Experiment,
        stop: &Stop,
        report: &mut dyn FnMut(TrainEvent<'_>),
    ) -> Result<TrainResult, Error> {
        let planned = self.plan_and_fetch(experiment, &mut |event| report(TrainEvent::Fetch(event)))?;
        let PlannedExperiment { plan, distinct, notes, base, .. } = planned;
        if plan.trainings.is_empty() {
            return Err(Error::NoTraining { experiment: plan.name });
        }
        notes.iter().for_each(|note| report(TrainEvent::Note(note)));
        report(TrainEvent::Planned);
        let mut trained = 0;
        self.train_missing(&plan, &base, &distinct, stop, &mut |event| {
            trained += usize::from(matches!(event, TrainingProgress::Ended { finished: true, .. }));
            report(TrainEvent::Progress(&event));
            Ok(())
        })?;
        let weights = needed(&plan, &distinct)?.iter().flat_map(weights_of).collect();
        Ok(TrainResult { weights, trained, interrupted: stop.is_requested() })
    }

    /// Does the trainings that the cells `left` of a plan need and that are missing. The fake renderer needs none.
    pub(crate) fn train_missing(
        &self,
        plan: &Plan,
        base: &Path,
        left: &[(usize, CellId)],
        stop: &Stop,
        report: &mut dyn FnMut(TrainingProgress<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if plan.trainings.is_empty() || self.renderer == Renderer::Fake {
            return Ok(());
        }
        for needed in needed(plan, left)? {
            if stop.is_requested() {
                break;
            }
            // A process that was killed at its end leaves a state that nothing needs, or weights without samples.
            let has_left = || {
                let folder = self.runs.training(needed.training);
                let at_end = needed.last() == needed.training.steps;
                folder.has_state() && at_end || !needed.unsampled(&folder).is_empty()
            };
            if !needed.missing().is_empty() || has_left() {
                one::train_one(self, plan, base, &needed, stop, report)?;
            }
        }
        Ok(())
    }
}

/// The weights that exist of those that are needed.
fn weights_of(needed: &Needed<'_>) -> Vec<TrainedWeights> {
    let Needed { training, steps, .. } = needed;
    let weights = steps.iter().map(|&step| TrainedWeights {
        subject: training.subject.clone(),
        model: training.model.clone(),
        step,
        digest: training.weights_digest(step),
        file: training.weights_file(step),
    });
    weights.filter(|weights| weights.file.is_file()).collect()
}
