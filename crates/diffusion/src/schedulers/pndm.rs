//! PNDM without Runge-Kutta steps, also called PLMS (Liu et al., arXiv 2202.09778); diffusers' `PNDMScheduler` with
//! `skip_prk_steps`, the default of Stable Diffusion v1-4.
//!
//! Diffusers counts its calls, and this counter is copied with its quirk: call 1 is always taken for the repeat of
//! call 0, even where image-to-image has cut the repeated timestep out of the list, so that all later steps of
//! image-to-image run one position late (huggingface/diffusers#9090).

use super::schedule::{Schedule, ratio, whole_timesteps};
use super::{SchedulerConfig, Step, TimestepSpacing, Trajectory, Update, ddim};

/// `None` when a timestep lies beyond the training. `skipped` steps are left out of image-to-image.
pub(super) fn trajectory(
    schedule: &Schedule,
    config: &SchedulerConfig,
    steps: usize,
    skipped: usize,
) -> Option<Trajectory> {
    let timesteps = timesteps(schedule, config, steps).split_off(skipped);
    let stride = ratio(schedule, steps);
    // Diffusers' default of this class, where the model's file is silent.
    let final_alpha = schedule.final_alpha(config.set_alpha_to_one.unwrap_or(false));
    let steps = timesteps
        .into_iter()
        .enumerate()
        .map(|(call, timestep)| {
            // The repeat does step 0 again, from where step 0 began.
            let (from, to) =
                if call == 1 { (timestep + stride, timestep) } else { (timestep, timestep - stride) };
            let alpha = schedule.alpha(from)?;
            let alpha_previous = if to < 0 { final_alpha } else { schedule.alpha(to)? };
            Some(Step {
                timestep: timestep as f32,
                level: ddim::level(schedule.alpha(timestep)?),
                input_scale: 1.0,
                remember: call == 0,
                keep: call != 1,
                next: next(call, alpha, alpha_previous),
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Trajectory { start: ddim::PURE_NOISE, steps })
}

/// The list with its second-largest timestep doubled: 981, 961, 961, 941, … 1.
fn timesteps(schedule: &Schedule, config: &SchedulerConfig, steps: usize) -> Vec<i64> {
    let spacing = config.timestep_spacing.unwrap_or(TimestepSpacing::Leading);
    let mut timesteps = whole_timesteps(schedule, config, spacing, steps);
    if let Some(&second) = timesteps.get(1) {
        timesteps.insert(1, second);
    }
    timesteps
}

/// Formula 9 of the paper on a linear multistep of the predicted noise (Adams-Bashforth weights).
fn next(call: usize, alpha: f64, alpha_previous: f64) -> Update {
    let sample = (alpha_previous / alpha).sqrt();
    let noise = -(alpha_previous - alpha)
        / (alpha * (1.0 - alpha_previous).sqrt() + (alpha * (1.0 - alpha) * alpha_previous).sqrt());
    let multistep: &[f64] = match call {
        0 => &[1.0],
        1 => &[0.5, 0.5],
        2 => &[3.0 / 2.0, -1.0 / 2.0],
        3 => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
        _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
    };
    Update {
        sample: if call == 1 { 0.0 } else { sample },
        remembered: if call == 1 { sample } else { 0.0 },
        noise_pred: noise * multistep[0],
        history: multistep[1..].iter().map(|weight| noise * weight).collect(),
        ..Update::default()
    }
}
