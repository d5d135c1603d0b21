//! Latent consistency models (Luo et al., arXiv 2310.04378, algorithm 3); diffusers' `LCMScheduler`.
//!
//! Steps are chosen from the schedule that the model was distilled with, regardless of the spacing. Diffusers' pipelines
//! do not pass the strength to the scheduler, so image-to-image skips the first steps as with other schedulers.

use super::prediction::Estimates;
use super::schedule::{PURE_NOISE, level};
use super::setup::Setup;
use super::{Step, Sum, Trajectory};

/// The standard deviation of data, which the boundary conditions assume.
const SIGMA_DATA: f64 = 0.5;

/// `None` if a timestep is beyond the training.
pub(super) fn trajectory(setup: &Setup) -> Option<Trajectory> {
    let Setup { config, schedule, prediction, .. } = setup;
    let clip = config.clip(false);
    let scaling = config.timestep_scaling.unwrap_or(10.0);
    let timesteps = timesteps(setup);
    let next = timesteps.iter().skip(1).map(Some).chain([None]);
    let step = |(&timestep, next): (&i64, Option<&i64>)| {
        let alpha = schedule.alpha(timestep)?;
        let scaled = timestep as f64 * scaling;
        let radius = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
        let (skip, out) = (SIGMA_DATA * SIGMA_DATA / radius, scaled / radius.sqrt());
        // The last step ends at the clean latents, the others are noised again.
        let (image, noise) = match next {
            None => (1.0, None),
            Some(&next) => {
                let level = level(schedule.alpha(next)?);
                (level.image, Some(level.noise))
            }
        };
        let sum = Sum { sample: image * skip, ..Sum::default() };
        let next = sum.plus_clean(image * out, prediction.clean(level(alpha)), clip);
        Some(Step::alone(timestep, level(alpha), next, noise))
    };
    let steps = timesteps.iter().zip(next).skip(setup.skipped).map(step).collect::<Option<_>>()?;
    Some(Trajectory { start: PURE_NOISE, steps })
}

/// `steps` of the original schedule's timesteps, evenly spaced from the largest.
fn timesteps(setup: &Setup) -> Vec<i64> {
    let original = setup.config.original_inference_steps();
    let stride = setup.schedule.len() / original;
    // `numpy.linspace` without its end, floored.
    let between = original as f64 / setup.steps as f64;
    (0..setup.steps)
        .map(|step| (step as f64 * between).floor() as usize)
        .map(|index| ((original - index) * stride) as i64 - 1)
        .collect()
}
