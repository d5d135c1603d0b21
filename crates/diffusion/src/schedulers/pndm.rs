//! PNDM without Runge-Kutta steps, also called PLMS (Liu et al., arXiv 2202.09778); diffusers' `PNDMScheduler` with
//! `skip_prk_steps`, the default of Stable Diffusion v1-4.
//!
//! Diffusers counts its calls, and this counter is copied with its quirk: call 1 is always treated as the repeat of
//! call 0, even if image-to-image has removed the repeated timestep from the list, so that all later steps of
//! image-to-image run one position late (huggingface/diffusers#9090).

use super::prediction::Estimates;
use super::schedule::{PURE_NOISE, level};
use super::setup::Setup;
use super::{Estimate, Linear, Step, Sum, Trajectory, spacing};
use maquette_core::PredictionType;

/// The UNet's unchanged prediction, which is the history.
const PREDICTION: Estimate = Estimate { of: Linear { sample: 0.0, noise_pred: 1.0 }, clip: None };

/// `None` if a timestep is beyond the training.
pub(super) fn trajectory(setup: &Setup) -> Option<Trajectory> {
    let Setup { config, schedule, prediction, .. } = setup;
    let stride = spacing::ratio(schedule, setup.steps);
    let final_alpha = schedule.final_alpha(config.set_alpha_to_one.unwrap_or(false));
    let step = |(call, timestep): (usize, i64)| {
        // The repeat runs step 0 again, from the same latents.
        let (from, to) =
            if call == 1 { (timestep + stride, timestep) } else { (timestep, timestep - stride) };
        let alpha = schedule.alpha(from)?;
        let alpha_previous = if to < 0 { final_alpha } else { schedule.alpha(to)? };
        Some(Step {
            timestep: timestep as f32,
            level: level(schedule.alpha(timestep)?),
            input_scale: 1.0,
            estimate: (call != 1).then_some(PREDICTION),
            remember: (call == 0).then(|| Sum { sample: 1.0, ..Sum::default() }),
            next: next(call, *prediction, alpha, alpha_previous),
            noise: None,
        })
    };
    let timesteps = timesteps(setup).into_iter().skip(setup.skipped);
    let steps = timesteps.enumerate().map(step).collect::<Option<_>>()?;
    Some(Trajectory { start: PURE_NOISE, steps })
}

/// The list with its second-largest timestep doubled: 981, 961, 961, 941, … 1.
fn timesteps(setup: &Setup) -> Vec<i64> {
    let mut timesteps = spacing::whole(setup);
    if let Some(&second) = timesteps.get(1) {
        timesteps.insert(1, second);
    }
    timesteps
}

/// Formula 9 of the paper on a linear multistep of the predictions (Adams-Bashforth weights).
fn next(call: usize, prediction: PredictionType, alpha: f64, alpha_previous: f64) -> Sum {
    let noise = -(alpha_previous - alpha)
        / (alpha * (1.0 - alpha_previous).sqrt() + (alpha * (1.0 - alpha) * alpha_previous).sqrt());
    // The multistep sum comes first, and the noise is computed from it.
    let read = prediction.noise(level(alpha));
    let sample = (alpha_previous / alpha).sqrt() + noise * read.sample;
    let noise_pred = noise * read.noise_pred;
    let multistep: &[f64] = match call {
        0 => &[1.0],
        1 => &[0.5, 0.5],
        2 => &[3.0 / 2.0, -1.0 / 2.0],
        3 => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
        _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
    };
    Sum {
        sample: if call == 1 { 0.0 } else { sample },
        remembered: if call == 1 { sample } else { 0.0 },
        noise_pred: noise_pred * multistep[0],
        history: multistep[1..].iter().map(|weight| noise_pred * weight).collect(),
        ..Sum::default()
    }
}
