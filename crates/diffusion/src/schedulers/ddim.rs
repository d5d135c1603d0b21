//! DDIM with eta 0 (Song et al., arXiv 2010.02502, formula 12); diffusers' `DDIMScheduler`.

use super::schedule::{Schedule, ratio, whole_timesteps};
use super::{Clipped, Level, SchedulerConfig, Step, TimestepSpacing, Trajectory, Update};

/// `None` when a timestep lies beyond the training. `skipped` steps are left out of image-to-image.
pub(super) fn trajectory(
    schedule: &Schedule,
    config: &SchedulerConfig,
    steps: usize,
    skipped: usize,
) -> Option<Trajectory> {
    let spacing = config.timestep_spacing.unwrap_or(TimestepSpacing::Leading);
    let timesteps = whole_timesteps(schedule, config, spacing, steps).split_off(skipped);
    // Diffusers' defaults of this class, where the model's file is silent.
    let clip = config.clip_sample.unwrap_or(true).then(|| config.clip_sample_range.unwrap_or(1.0));
    let final_alpha = schedule.final_alpha(config.set_alpha_to_one.unwrap_or(true));
    let steps = timesteps
        .into_iter()
        .map(|timestep| {
            let alpha = schedule.alpha(timestep)?;
            let previous = timestep - ratio(schedule, steps);
            let alpha_previous = if previous < 0 { final_alpha } else { schedule.alpha(previous)? };
            Some(Step {
                timestep: timestep as f32,
                level: level(alpha),
                input_scale: 1.0,
                remember: false,
                keep: false,
                next: next(alpha, alpha_previous, clip),
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Trajectory { start: PURE_NOISE, steps })
}

/// Where text-to-image begins for schedulers in the variance-preserving form, DDIM and PNDM alike.
pub(super) const PURE_NOISE: Level = Level { image: 0.0, noise: 1.0 };

/// The level of the variance-preserving form at an alpha of the schedule.
pub(super) fn level(alpha: f64) -> Level {
    Level { image: alpha.sqrt(), noise: (1.0 - alpha).sqrt() }
}

/// `sqrt(alpha') x0 + sqrt(1 - alpha') e` with `x0 = (x - sqrt(1 - alpha) e) / sqrt(alpha)`.
fn next(alpha: f64, alpha_previous: f64, clip: Option<f64>) -> Update {
    let denoised_sample = 1.0 / alpha.sqrt();
    let denoised_noise = -(1.0 - alpha).sqrt() / alpha.sqrt();
    let (keep, direction) = (alpha_previous.sqrt(), (1.0 - alpha_previous).sqrt());
    match clip {
        None => Update {
            sample: keep * denoised_sample,
            noise_pred: keep * denoised_noise + direction,
            ..Update::default()
        },
        Some(range) => Update {
            noise_pred: direction,
            clipped: Some(Clipped {
                sample: denoised_sample,
                noise_pred: denoised_noise,
                range,
                weight: keep,
            }),
            ..Update::default()
        },
    }
}
