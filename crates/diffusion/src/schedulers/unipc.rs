//! Second-order UniPC (Zhao et al., arXiv 2302.04867, algorithms 5 and 6 with `B(h) = e^h - 1`); diffusers'
//! `UniPCMultistepScheduler` with its defaults (`bh2`, predicting clean latents).
//!
//! Each call first corrects the latents predicted by the previous step, using the UNet's new prediction, and then
//! predicts the next ones from the corrected latents. Both are sums of the same few tensors.

use super::dpmpp_2m::{lambda, preserving};
use super::prediction::Estimates;
use super::schedule::PURE_NOISE;
use super::setup::Setup;
use super::{Estimate, Level, Step, Sum, Trajectory, spacing};

pub(super) fn trajectory(setup: &Setup) -> Trajectory {
    let noised = spacing::multistep(setup);
    let level = |index: usize| preserving(noised.sigmas[index]);
    // The first step that is run and the last step of the schedule are of first order.
    let second = |index: usize| index > setup.skipped && index + 1 < setup.steps;
    let step = |index: usize| {
        let corrected = if index == setup.skipped {
            Sum { sample: 1.0, ..Sum::default() }
        } else {
            let before = second(index - 1).then(|| level(index - 2));
            corrected(level(index - 1), level(index), before)
        };
        let before = second(index).then(|| level(index - 1));
        Step {
            timestep: noised.timesteps[index],
            level: level(index),
            input_scale: 1.0,
            estimate: Some(Estimate { of: setup.prediction.clean(level(index)), clip: None }),
            next: predicted(&corrected, level(index), level(index + 1), before),
            remember: Some(corrected),
            noise: None,
        }
    };
    Trajectory { start: PURE_NOISE, steps: (setup.skipped..setup.steps).map(step).collect() }
}

/// The latents at `there`, from the corrected latents at `here` and the clean latents estimated here and `before`.
fn predicted(corrected: &Sum, here: Level, there: Level, before: Option<Level>) -> Sum {
    let h = lambda(there) - lambda(here);
    let ratio = there.noise / here.noise;
    let phi = there.image * (-h).exp_m1();
    let mut history: Vec<f64> = corrected.history.iter().map(|weight| weight * ratio).collect();
    let mut estimate = corrected.estimate * ratio - phi;
    if let Some(before) = before {
        let slope = 0.5 * phi * h / (lambda(before) - lambda(here));
        history.resize(history.len().max(1), 0.0);
        history[0] -= slope;
        estimate += slope;
    }
    Sum {
        sample: corrected.sample * ratio,
        remembered: corrected.remembered * ratio,
        estimate,
        history,
        ..Sum::default()
    }
}

/// The latents at `there`, from the latents remembered at `here` and the clean latents estimated there (now), here and
/// `before`.
fn corrected(here: Level, there: Level, before: Option<Level>) -> Sum {
    let h = lambda(there) - lambda(here);
    let phi = there.image * (-h).exp_m1();
    let remembered = there.noise / here.noise;
    match before {
        None => Sum { remembered, estimate: -0.5 * phi, history: vec![-0.5 * phi], ..Sum::default() },
        Some(before) => {
            let r = (lambda(before) - lambda(here)) / h;
            let (b1, b2) = conditions(-h);
            let earlier = (b1 - b2) / (1.0 - r);
            let now = b1 - earlier;
            Sum {
                remembered,
                estimate: -phi * now,
                history: vec![-phi * (1.0 - now - earlier / r), -phi * earlier / r],
                ..Sum::default()
            }
        }
    }
}

/// The right side of the order conditions: `phi_2 / B` and `2 phi_3 / B`, all over powers of `h`.
fn conditions(h: f64) -> (f64, f64) {
    let b = h.exp_m1();
    let first = b / h - 1.0;
    let second = first / h - 0.5;
    (first / b, 2.0 * second / b)
}
