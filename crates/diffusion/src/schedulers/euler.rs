//! Euler's method and its ancestral form (Karras et al., arXiv 2206.00364, algorithm 2; k-diffusion's
//! `sample_euler` and `sample_euler_ancestral`); diffusers' `EulerDiscreteScheduler` and
//! `EulerAncestralDiscreteScheduler`.

use super::schedule::{Schedule, fractional_timesteps};
use super::{Level, SchedulerConfig, Step, TimestepSpacing, Trajectory, Update};

/// `None` when a timestep lies beyond the training. `skipped` steps are left out of image-to-image. `next` is the
/// rule from one sigma to the next.
pub(super) fn trajectory(
    schedule: &Schedule,
    config: &SchedulerConfig,
    steps: usize,
    skipped: usize,
    next: fn(f64, f64) -> Update,
) -> Option<Trajectory> {
    let spacing = config.timestep_spacing.unwrap_or(TimestepSpacing::Linspace);
    let timesteps = fractional_timesteps(schedule, config, spacing, steps);
    // Diffusers keeps sigmas in f32; the one after the last step is 0.
    let sigma = |timestep: f32| f64::from(schedule.sigma(f64::from(timestep)) as f32);
    let mut sigmas: Vec<f64> = timesteps.iter().map(|&timestep| sigma(timestep)).collect();
    sigmas.push(0.0);

    let largest = *sigmas.first()?;
    // `init_noise_sigma`
    let noise = if spacing == TimestepSpacing::Leading { (largest * largest + 1.0).sqrt() } else { largest };
    let steps = timesteps
        .iter()
        .zip(sigmas.windows(2))
        .skip(skipped)
        .map(|(&timestep, pair)| Step {
            timestep,
            level: Level { image: 1.0, noise: pair[0] },
            input_scale: 1.0 / (pair[0] * pair[0] + 1.0).sqrt(),
            remember: false,
            keep: false,
            next: next(pair[0], pair[1]),
        })
        .collect();
    Some(Trajectory { start: Level { image: 0.0, noise }, steps })
}

/// From one sigma straight to the next.
pub(super) fn plain(sigma: f64, next: f64) -> Update {
    Update { sample: 1.0, noise_pred: next - sigma, ..Update::default() }
}

/// Down below the next sigma, and up to it with fresh noise. The last step draws its noise too, for nothing.
pub(super) fn ancestral(sigma: f64, next: f64) -> Update {
    let up = (next * next * (sigma * sigma - next * next) / (sigma * sigma)).sqrt();
    let down = (next * next - up * up).sqrt();
    Update { sample: 1.0, noise_pred: down - sigma, noise: Some(up), ..Update::default() }
}
