//! DDIM (Song et al., arXiv 2010.02502, formulas 12 and 16); diffusers' `DDIMScheduler`.

use super::prediction::Estimates;
use super::schedule::{PURE_NOISE, level};
use super::setup::Setup;
use super::{Estimate, Linear, Step, Sum, Trajectory, spacing};

/// `None` if a timestep is beyond the training.
pub(super) fn trajectory(setup: &Setup) -> Option<Trajectory> {
    let Setup { config, schedule, prediction, eta, .. } = setup;
    let clip = config.clip(true);
    let final_alpha = schedule.final_alpha(config.set_alpha_to_one.unwrap_or(true));
    let ratio = spacing::ratio(schedule, setup.steps);
    let step = |timestep: i64| {
        let alpha = schedule.alpha(timestep)?;
        let previous = timestep - ratio;
        let alpha_previous = if previous < 0 { final_alpha } else { schedule.alpha(previous)? };
        let variance = (1.0 - alpha_previous) / (1.0 - alpha) * (1.0 - alpha / alpha_previous);
        let deviation = eta * variance.sqrt();
        // Rounding may make it slightly negative.
        let direction = (1.0 - alpha_previous - deviation * deviation).max(0.0).sqrt();
        let towards = Sum::default().plus(direction, prediction.noise(level(alpha)));
        let next = towards.plus_clean(alpha_previous.sqrt(), prediction.clean(level(alpha)), clip);
        Some(Step::alone(timestep, level(alpha), next, (*eta > 0.0).then_some(deviation)))
    };
    let steps = spacing::whole(setup).into_iter().skip(setup.skipped).map(step).collect::<Option<_>>()?;
    Some(Trajectory { start: PURE_NOISE, steps })
}

impl Sum {
    /// Adds weighted clean latents: as two terms, or as an estimate if they are clipped.
    pub(super) fn plus_clean(
        mut self,
        weight: f64,
        clean: Linear,
        clip: Option<f64>,
    ) -> (Sum, Option<Estimate>) {
        if clip.is_none() {
            return (self.plus(weight, clean), None);
        }
        self.estimate += weight;
        (self, Some(Estimate { of: clean, clip }))
    }
}
