//! The progress of a training, as the library reports it.

use maquette_core::Training;
use std::path::Path;

/// The progress of a training.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrainingProgress<'a> {
    /// Pictures of the class are rendered for prior preservation.
    ClassPictures {
        /// How many there are by now.
        done: usize,
        /// How many are needed.
        of: usize,
    },
    /// The steps begin.
    Started {
        /// The training.
        training: &'a Training,
        /// How many steps were done before, if it was interrupted.
        done: u32,
        /// The last step that the experiment needs.
        steps: u32,
        /// How many numbers are trained.
        parameters: usize,
    },
    /// A step is done.
    Step {
        /// Its number, from 1.
        step: u32,
        /// The last step that the experiment needs.
        steps: u32,
        /// The loss.
        loss: f64,
        /// The learning rate.
        learning_rate: f64,
        /// How long it took.
        seconds: f64,
    },
    /// The state is saved: an interruption loses no step up to this one.
    Saved {
        /// The step.
        step: u32,
    },
    /// A picture was rendered with the weights after that step.
    Sample {
        /// The step.
        step: u32,
        /// The picture.
        file: &'a Path,
    },
    /// A sample could not be rendered, which does not affect the training.
    SampleFailed {
        /// The step.
        step: u32,
        /// Why.
        error: String,
    },
    /// The training has ended, or was stopped.
    Ended {
        /// The training.
        training: &'a Training,
        /// Whether every step that the experiment needs is done.
        finished: bool,
    },
}
