//! The learning rate of each step: diffusers' `get_scheduler`.

use maquette_core::{LrScheduler, Training};
use std::f64::consts::PI;

/// The factor of the learning rate in a step, counted from 0.
///
/// Source: `get_constant_schedule_with_warmup` and `get_cosine_schedule_with_warmup` of diffusers' `optimization.py`. The
/// first step of a warm-up has the factor 0.
pub(crate) fn factor(training: &Training, step: u32) -> f64 {
    let (step, warmup) = (f64::from(step), f64::from(training.lr_warmup_steps));
    if step < warmup {
        return step / warmup;
    }
    match training.lr_scheduler {
        LrScheduler::Constant => 1.0,
        LrScheduler::Cosine => {
            let progress = (step - warmup) / (f64::from(training.steps) - warmup).max(1.0);
            (0.5 * (1.0 + (PI * progress).cos())).max(0.0)
        }
    }
}
