//! The trainings of a run on its page: what is trained, how far it is, losses and samples.

use super::relative::encoded;
use crate::error::Error;
use crate::training::needed;
use maquette_core::{Plan, Training, TrainingMethod};
use maquette_planner::distinct;
use maquette_reporter::page::{self, LossRow, losses};
use maquette_store::{Run, TrainingSample};

/// A training that cells of a run need.
pub(super) struct NeededTraining<'a> {
    training: &'a Training,
    /// The last step whose weights a cell takes.
    last_step: u32,
}

/// The trainings of a plan, in its order.
pub(super) fn needed_trainings(plan: &Plan) -> Result<Vec<NeededTraining<'_>>, Error> {
    if plan.trainings.is_empty() {
        return Ok(Vec::new());
    }
    let all = needed(plan, &distinct(plan)?)?;
    Ok(all.iter().map(|it| NeededTraining { training: it.training, last_step: it.last() }).collect())
}

/// The trainings as the run shows them at the moment.
pub(super) fn trainings(run: &Run, needed: &[NeededTraining<'_>]) -> Vec<page::Training> {
    needed.iter().map(|needed| training(run, needed)).collect()
}

fn training(run: &Run, &NeededTraining { training, last_step }: &NeededTraining<'_>) -> page::Training {
    let (mut steps, samples) = run.shown_training(training);
    // Steps are counted upwards; a file that was edited may have others.
    steps.dedup_by(|later, earlier| later.step <= earlier.step);
    let rows: Vec<LossRow> = steps
        .iter()
        .map(|step| LossRow { step: step.step, loss: step.loss, learning_rate: step.learning_rate })
        .collect();
    let only = |method: TrainingMethod, value: u32| (training.method == method).then_some(value);
    let seconds: f64 = steps.iter().map(|step| step.seconds).sum();
    page::Training {
        subject: training.subject.clone(),
        word: training.word.clone(),
        model: training.model.clone(),
        method: training.method,
        images: training.images.len(),
        class_images: if training.has_prior() { training.num_class_images } else { 0 },
        rank: only(TrainingMethod::Lora, training.rank),
        num_vectors: only(TrainingMethod::TextualInversion, training.num_vectors),
        learning_rate: training.learning_rate,
        steps: training.steps,
        last_step,
        done: steps.last().map_or(0, |step| step.step),
        seconds: (seconds * 1000.0).round() / 1000.0,
        losses: losses(&rows, training.steps),
        samples: samples.iter().map(sample).collect(),
    }
}

fn sample(sample: &TrainingSample) -> page::TrainingSample {
    let names: Vec<String> = sample.file.iter().map(|name| encoded(&name.to_string_lossy())).collect();
    page::TrainingSample { step: sample.step, number: sample.number, image: names.join("/") }
}
