//! One training: from its pictures to its weights, with what is kept on the way.

use super::needed::Needed;
use super::pictures::{of_class, of_subject, samples};
use super::progress::TrainingProgress;
use crate::Workspace;
use crate::assets::find_planned;
use crate::error::{Error, with_causes};
use maquette_core::{Plan, TrainingMethod};
use maquette_executor::Stop;
use maquette_store::{Timings, TrainingKind, TrainingStep, TrainingWriter};
use maquette_trainer::{TrainError, TrainEvent, TrainJob, train};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

/// Does a training until its last needed step. Another process may have done it meanwhile.
pub(super) fn train_one(
    workspace: &Workspace,
    plan: &Plan,
    base: &Path,
    needed: &Needed<'_>,
    stop: &Stop,
    report: &mut dyn FnMut(TrainingProgress<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let training = needed.training;
    let mut writer = workspace.runs.begin_training(training)?;
    for step in needed.unsampled(writer.folder()) {
        if !stop.is_requested() {
            sample((workspace, plan, base), needed, &writer, step, report)?;
        }
    }
    if needed.missing().is_empty() {
        // Another process has trained meanwhile, or one was killed when it had only the state left to remove.
        return remove_state(needed, &writer);
    }
    let Some(class_pictures) = of_class(workspace, plan, base, training, &writer, stop, report)? else {
        return Ok(());
    };
    let hub = &workspace.environment.hub;
    let source = find_planned(&training.model, base, hub, &workspace.runs, Some(training.fingerprint));
    let source = source.map_err(|error| Error::CellFailed(with_causes(&error)))?;
    let mut job = TrainJob {
        training,
        source: &source,
        device: workspace.device(),
        pictures: of_subject(training)?,
        class_pictures,
        checkpoints: checkpoints(needed),
        state: None,
    };
    let state = writer.state()?;
    job.state = state.as_deref();
    let mut steps = Steps {
        workspace,
        plan,
        base,
        needed,
        stop,
        report,
        writer: &mut writer,
        failed: None,
        measured: (0, 0.0),
    };
    let mut ended = train(&job, &mut |event| steps.observe(event));
    // The state may be damaged, or of a later step than one that is missing.
    if matches!(ended, Err(TrainError::State { .. })) || steps.is_past_missing(&ended) {
        steps.writer.remove_state()?;
        steps.failed = None;
        job.state = None;
        ended = train(&job, &mut |event| steps.observe(event));
    }
    let (failed, measured) = (steps.failed.take(), steps.measured);
    remember(workspace, &TrainingKind::of(training, &workspace.device().to_string()), measured);
    if let Some(error) = failed {
        return Err(error);
    }
    let subject = training.subject.clone();
    ended.map_err(|source| Error::Train { subject, source: Box::new(source) })?;
    remove_state(needed, &writer)?;
    report(TrainingProgress::Ended { training, finished: needed.missing().is_empty() })
}

/// Removes the state of a training that has ended.
fn remove_state(needed: &Needed<'_>, writer: &TrainingWriter) -> Result<(), Error> {
    if needed.missing().is_empty() && needed.last() == needed.training.steps {
        writer.remove_state()?;
    }
    Ok(())
}

/// The steps after which the weights or the state are saved.
fn checkpoints(needed: &Needed<'_>) -> BTreeSet<u32> {
    let steps = needed.training.steps;
    // A state of DreamBooth has three times the denoiser's weights.
    let every = match needed.training.method {
        TrainingMethod::Dreambooth => (steps / 8).max(50),
        _ => (steps / 20).max(10),
    };
    let regular = (1..=steps / every).map(|nth| nth * every);
    regular.chain(needed.sampled()).filter(|&step| step <= needed.last()).collect()
}

/// What happens at the steps of a training.
struct Steps<'a, 'r> {
    workspace: &'a Workspace,
    plan: &'a Plan,
    base: &'a Path,
    needed: &'a Needed<'a>,
    stop: &'a Stop,
    report: &'r mut dyn FnMut(TrainingProgress<'_>) -> Result<(), Error>,
    writer: &'a mut TrainingWriter,
    failed: Option<Error>,
    /// Steps done now, and their time.
    measured: (u64, f64),
}

impl Steps<'_, '_> {
    fn observe(&mut self, event: TrainEvent) -> ControlFlow<()> {
        // A state must not be ahead of the losses.
        if self.failed.is_some() {
            return ControlFlow::Break(());
        }
        match self.keep(event) {
            Ok(flow) => flow,
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Keeps what an event brings; breaks if the training is to stop.
    fn keep(&mut self, event: TrainEvent) -> Result<ControlFlow<()>, Error> {
        let Needed { training, .. } = self.needed;
        let last = self.needed.last();
        match event {
            TrainEvent::Prepared { done, parameters } => {
                if self.is_past(done) {
                    return Ok(ControlFlow::Break(()));
                }
                self.writer.resume_at(done)?;
                (self.report)(TrainingProgress::Started { training, done, steps: last, parameters })?;
            }
            TrainEvent::Step { step, loss, learning_rate, seconds, .. } => {
                let loss = f64::from(loss);
                self.measured = (self.measured.0 + 1, self.measured.1 + seconds);
                self.writer.add_step(&TrainingStep { step, loss, learning_rate, seconds })?;
                (self.report)(TrainingProgress::Step { step, steps: last, loss, learning_rate, seconds })?;
            }
            TrainEvent::Checkpoint { step, weights, state } => {
                let is_sampled = self.needed.sampled().contains(&step);
                if is_sampled {
                    self.writer.save_weights(&training.weights_digest(step), &weights)?;
                }
                self.writer.save_state(&state)?;
                drop((weights, state));
                (self.report)(TrainingProgress::Saved { step })?;
                if is_sampled && !self.stop.is_requested() {
                    let at = (self.workspace, self.plan, self.base);
                    sample(at, self.needed, self.writer, step, self.report)?;
                }
                if step >= last {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(if self.stop.is_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Whether weights are missing of a step that a state is past.
    fn is_past(&self, done: u32) -> bool {
        self.needed.missing().first().is_some_and(|&missing| missing <= done)
    }

    fn is_past_missing(&self, ended: &Result<maquette_trainer::Trained, TrainError>) -> bool {
        self.failed.is_none()
            && matches!(ended, Ok(maquette_trainer::Trained::Stopped { step }) if self.is_past(*step))
    }
}

/// Renders samples with the weights after a step. A training does not fail because it cannot.
fn sample(
    (workspace, plan, base): (&Workspace, &Plan, &Path),
    needed: &Needed<'_>,
    writer: &TrainingWriter,
    step: u32,
    report: &mut dyn FnMut(TrainingProgress<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let Needed { training, samples: cells, .. } = needed;
    match samples(workspace, plan, base, training, cells, step, writer) {
        Ok(files) => files.iter().try_for_each(|file| report(TrainingProgress::Sample { step, file })),
        Err(error) => report(TrainingProgress::SampleFailed { step, error: with_causes(&error) }),
    }
}

/// Adds measured steps to the timings. A training does not fail because these cannot be saved.
fn remember(workspace: &Workspace, kind: &TrainingKind, (steps, seconds): (u64, f64)) {
    if steps > 0 {
        let mut measured = Timings::default();
        measured.add_training(kind.clone(), steps, seconds);
        let _ = workspace.runs.remember(&measured);
    }
}
