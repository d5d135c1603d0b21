//! What the trainings of a plan would take.

use super::needed::{self, needed};
use crate::Workspace;
use crate::error::Error;
use maquette_core::{CellId, Plan, TrainingMethod};
use maquette_store::TrainingKind;

/// What one training would take.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingForecast {
    /// The subject.
    pub subject: String,
    /// The model, as written.
    pub model: String,
    /// What is trained.
    pub method: TrainingMethod,
    /// Pictures of the subject.
    pub pictures: usize,
    /// Pictures of the class, for prior preservation; 0 for none.
    pub class_pictures: usize,
    /// Steps that the experiment's cells need.
    pub steps: u32,
    /// Steps that are done.
    pub done: u32,
    /// Whether all weights that the cells need exist.
    pub finished: bool,
    /// Seconds for the steps that are left, from earlier trainings on this machine; `None` without one.
    pub seconds: Option<f64>,
}

/// The trainings that cells of a plan need.
pub(crate) fn training_forecast(
    workspace: &Workspace,
    plan: &Plan,
    cells: &[(usize, CellId)],
) -> Result<Vec<TrainingForecast>, Error> {
    let timings = workspace.runs.timings();
    let device = workspace.device().to_string();
    let forecast = |needed: &needed::Needed<'_>| {
        let (training, steps) = (needed.training, needed.last());
        let finished = needed.missing().is_empty();
        let losses = workspace.runs.training(training).losses();
        let done = if finished { steps } else { losses.last().map_or(0, |row| row.step.min(steps)) };
        let speed = timings.training(&TrainingKind::of(training, &device));
        let left = f64::from(steps - done);
        TrainingForecast {
            subject: training.subject.clone(),
            model: training.model.clone(),
            method: training.method,
            pictures: training.images.len(),
            class_pictures: if training.has_prior() { training.num_class_images as usize } else { 0 },
            steps,
            done,
            finished,
            seconds: speed.and_then(|speed| speed.seconds_each()).map(|seconds| seconds * left),
        }
    };
    Ok(needed(plan, cells)?.iter().map(forecast).collect())
}
