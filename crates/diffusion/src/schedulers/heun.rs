//! Heun's method (Karras et al., arXiv 2206.00364, algorithm 1 without churn); diffusers' `HeunDiscreteScheduler`.
//!
//! Every step but the last calls the UNet twice: at its sigma, and at the next sigma for the slope there.

use super::euler::{exploding, input_scale, start};
use super::prediction::Estimates;
use super::setup::Setup;
use super::{Estimate, Step, Sum, Trajectory, spacing};

pub(super) fn trajectory(setup: &Setup) -> Trajectory {
    let noised = spacing::fractional(setup);
    let clip = setup.config.clip(false);
    let call = |timestep, sigma, remember, next| Step {
        timestep,
        level: exploding(sigma),
        input_scale: input_scale(sigma),
        estimate: Some(Estimate { of: setup.prediction.clean(exploding(sigma)), clip }),
        remember,
        next,
        noise: None,
    };
    let mut steps = Vec::new();
    for step in setup.skipped..setup.steps {
        let (sigma, next) = (noised.sigmas[step], noised.sigmas[step + 1]);
        let stride = next - sigma;
        // The slope is (latents - clean latents) / sigma.
        let euler = Sum { sample: 1.0 + stride / sigma, estimate: -stride / sigma, ..Sum::default() };
        steps.push(call(noised.timesteps[step], sigma, Some(Sum { sample: 1.0, ..Sum::default() }), euler));
        if step + 1 < setup.steps {
            // From the same latents again, with the mean of the slopes at both ends.
            let (first, second) = (0.5 * stride / sigma, 0.5 * stride / next);
            let heun = Sum {
                remembered: 1.0 + first,
                history: vec![-first],
                sample: second,
                estimate: -second,
                ..Sum::default()
            };
            steps.push(call(noised.timesteps[step + 1], next, None, heun));
        }
    }
    Trajectory { start: start(setup, &noised.sigmas), steps }
}
