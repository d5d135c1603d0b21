//! What a training reports while it runs.

/// An event of a training. A callback that returns [`Break`](std::ops::ControlFlow::Break) stops it: a checkpoint of the
/// last step follows, then the training returns.
#[derive(Debug, Clone)]
pub enum TrainEvent {
    /// The model is loaded and the pictures are encoded; steps follow.
    Prepared {
        /// How many steps were done before: 0, or those of the saved state.
        done: u32,
        /// How many numbers are trained.
        parameters: usize,
    },
    /// A step is done.
    Step {
        /// Its number, from 1.
        step: u32,
        /// All steps.
        steps: u32,
        /// The loss of its pictures, before the step changed the weights.
        loss: f32,
        /// Its learning rate.
        learning_rate: f64,
        /// How long it took.
        seconds: f64,
    },
    /// The weights after a step.
    Checkpoint {
        /// The step.
        step: u32,
        /// A file for Maquette, diffusers, A1111 and ComfyUI: a LoRA, an embedding, or differences.
        weights: Vec<u8>,
        /// All that [`TrainJob::state`](crate::TrainJob::state) needs to go on after this step.
        state: Vec<u8>,
    },
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trained {
    /// All steps are done.
    Finished,
    /// The callback stopped it after a step.
    Stopped {
        /// The last step that was done.
        step: u32,
    },
}
