//! The loop: start cells, step all of them together, finish those that are done.
//!
//! A step is predict, guide, step, blend. Several cells share each denoiser call; when one is done, the next cell takes
//! its place. Not here: which cells share a call (`batch.rs`), starting and finishing cells (`engine.rs`).

use crate::device::Failure;
use crate::families::error::RenderError;
use crate::families::family::Predicted;
use crate::sampler::denoise_state::DenoiseState;
use crate::sampler::engine::{Ended, Engine, Events};
use crate::sampler::queue::Queue;
use candle_core::Result;
use maquette_core::{Cell, Event};
use std::time::Instant;

impl Engine {
    /// Renders cells until none is left or in progress.
    pub(super) fn sample(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: Events,
    ) -> std::result::Result<(), Ended> {
        let mut queue = Queue::new(cells);
        let mut states: Vec<DenoiseState> = Vec::new();
        loop {
            self.start_cells(&mut queue, &mut states, events)?;
            if states.is_empty() {
                return Ok(());
            }
            self.step(&mut states, events)?;
            if states.iter().any(DenoiseState::is_done) {
                self.share_time(&mut states)?;
            }
            let done = states.extract_if(.., |state| state.is_done()).collect();
            self.finish_cells(done, &mut queue, events)?;
        }
    }

    /// One step of every cell in progress; those that fail are removed.
    fn step(&mut self, states: &mut Vec<DenoiseState>, events: Events) -> std::result::Result<(), Ended> {
        let clock = Instant::now();
        let rows: Vec<usize> = states.iter().map(DenoiseState::rows).collect();
        let mut failed = Vec::new();
        for (at, predicted) in self.predict(states, events)?.into_iter().enumerate() {
            match predicted {
                Ok(predicted) => {
                    if let Err(error) = denoise(&mut states[at], predicted) {
                        let error = self.failure(&states[at].cell.settings, RenderError::Tensor(error))?;
                        failed.push((at, error));
                    }
                }
                Err(error) => failed.push((at, error)),
            }
        }
        self.step_time.add(clock.elapsed().as_secs_f64(), states, &rows);
        for (at, error) in failed.into_iter().rev() {
            events.send(Event::Failed { cell: states.remove(at).cell.id, error })?;
        }
        for state in states {
            let (cell, step, steps) = (state.cell.id, state.done(), state.steps());
            events.send(Event::Stepped { cell, step, steps })?;
        }
        Ok(())
    }

    /// Waits for the device and shares the time of the steps since the last wait among their cells.
    fn share_time(&mut self, states: &mut [DenoiseState]) -> std::result::Result<(), Ended> {
        let clock = Instant::now();
        if let Err(error) = self.driver.synchronize()
            && self.driver.failure(&error) == Failure::DeviceLost
        {
            return Err(self.lost(error));
        }
        self.step_time.share(clock.elapsed().as_secs_f64(), states);
        Ok(())
    }
}

/// One step of one cell, from the predictions for its rows.
fn denoise(state: &mut DenoiseState, Predicted { rows, features }: Predicted) -> Result<()> {
    let noise_pred = state.guide(&rows)?;
    let latents = state.step(&noise_pred)?;
    let latents = state.blend(latents)?;
    state.keep(features);
    state.advance(latents);
    Ok(())
}
