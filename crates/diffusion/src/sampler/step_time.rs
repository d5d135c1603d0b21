//! The time of steps, shared among the cells whose rows were in them.
//!
//! A GPU computes a step after it was queued, so the time of one step is unknown without waiting for it, and waiting in
//! each would leave the GPU idle in between. The engine waits before it decodes a picture: then all work is done, and the
//! time spent in steps since the last wait, with this wait, is what they took.

use crate::sampler::denoise_state::DenoiseState;

/// The time of steps that was not yet shared.
#[derive(Debug, Default)]
pub(super) struct StepTime {
    seconds: f64,
    /// The rows of all states in these steps, also of those that have failed since.
    rows: usize,
}

impl StepTime {
    /// Adds a step of these states, each with its rows in it.
    pub fn add(&mut self, seconds: f64, states: &mut [DenoiseState], rows: &[usize]) {
        self.seconds += seconds;
        for (state, rows) in states.iter_mut().zip(rows) {
            state.unshared_rows += rows;
            self.rows += rows;
        }
    }

    /// Shares all of it and the time of the wait, by rows.
    pub fn share(&mut self, waited: f64, states: &mut [DenoiseState]) {
        let StepTime { seconds, rows } = std::mem::take(self);
        let per_row = (seconds + waited) / rows.max(1) as f64;
        for state in states {
            state.seconds += per_row * std::mem::take(&mut state.unshared_rows) as f64;
        }
    }
}
