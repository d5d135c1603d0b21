//! Second-order multistep DPM-Solver++ (Lu et al., arXiv 2211.01095, algorithm 2), in its midpoint form; diffusers'
//! `DPMSolverMultistepScheduler` with its defaults.

use super::prediction::Estimates;
use super::schedule::PURE_NOISE;
use super::setup::Setup;
use super::{Estimate, Level, Step, Sum, Trajectory, spacing};

pub(super) fn trajectory(setup: &Setup) -> Trajectory {
    let noised = spacing::multistep(setup);
    let step = |index: usize| {
        let (here, there) = (preserving(noised.sigmas[index]), preserving(noised.sigmas[index + 1]));
        // The last step of the schedule and the first step that is run are of first order.
        let before =
            (index > setup.skipped && index + 1 < setup.steps).then(|| preserving(noised.sigmas[index - 1]));
        Step {
            timestep: noised.timesteps[index],
            level: here,
            input_scale: 1.0,
            estimate: Some(Estimate { of: setup.prediction.clean(here), clip: None }),
            remember: None,
            next: next(here, there, before),
            noise: None,
        }
    };
    Trajectory { start: PURE_NOISE, steps: (setup.skipped..setup.steps).map(step).collect() }
}

/// The level of the variance-preserving form at a sigma of the exploding one.
pub(super) fn preserving(sigma: f64) -> Level {
    let image = 1.0 / (sigma * sigma + 1.0).sqrt();
    Level { image, noise: sigma * image }
}

/// Half the logarithm of the signal-to-noise ratio.
pub(super) fn lambda(level: Level) -> f64 {
    level.image.ln() - level.noise.ln()
}

/// The step from one level to another; of second order with the level before.
pub(super) fn next(here: Level, there: Level, before: Option<Level>) -> Sum {
    let h = lambda(there) - lambda(here);
    let weight = -there.image * (-h).exp_m1();
    let first = Sum { sample: there.noise / here.noise, estimate: weight, ..Sum::default() };
    match before {
        None => first,
        Some(before) => {
            let r = (lambda(here) - lambda(before)) / h;
            let second = 0.5 * weight / r;
            Sum { estimate: weight + second, history: vec![-second], ..first }
        }
    }
}
