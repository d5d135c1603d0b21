//! Euler's method and its ancestral form (Karras et al., arXiv 2206.00364, algorithm 2; k-diffusion's
//! `sample_euler` and `sample_euler_ancestral`); diffusers' `EulerDiscreteScheduler` and
//! `EulerAncestralDiscreteScheduler`.

use super::prediction::Estimates;
use super::setup::Setup;
use super::{Level, Step, Sum, Trajectory, spacing};
use maquette_core::Spacing;

/// Steps directly from one sigma to the next.
pub(super) fn trajectory(setup: &Setup) -> Trajectory {
    through(setup, |_, next| (next, None))
}

/// Steps below the next sigma, then adds fresh noise up to it. The last step draws noise, too, without using it.
pub(super) fn ancestral(setup: &Setup) -> Trajectory {
    through(setup, |sigma, next| {
        let up = (next * next * (sigma * sigma - next * next) / (sigma * sigma)).sqrt();
        ((next * next - up * up).sqrt(), Some(up))
    })
}

/// `rule` gives the sigma that a step goes down to, and the noise that is added to reach the next sigma.
fn through(setup: &Setup, rule: fn(f64, f64) -> (f64, Option<f64>)) -> Trajectory {
    let noised = spacing::fractional(setup);
    let step = |(&timestep, pair): (&f32, &[f64])| {
        let (sigma, (down, noise)) = (pair[0], rule(pair[0], pair[1]));
        let level = exploding(sigma);
        Step {
            timestep,
            level,
            input_scale: input_scale(sigma),
            estimate: None,
            remember: None,
            next: Sum { sample: 1.0, ..Sum::default() }.plus(down - sigma, setup.prediction.noise(level)),
            noise,
        }
    };
    let pairs = noised.timesteps.iter().zip(noised.sigmas.windows(2));
    let steps = pairs.skip(setup.skipped).map(step).collect();
    Trajectory { start: start(setup, &noised.sigmas), steps }
}

/// The level of the variance-exploding form.
pub(super) fn exploding(sigma: f64) -> Level {
    Level { image: 1.0, noise: sigma }
}

/// `scale_model_input` of the variance-exploding form.
pub(super) fn input_scale(sigma: f64) -> f64 {
    1.0 / (sigma * sigma + 1.0).sqrt()
}

/// The initial level of text-to-image: `init_noise_sigma`.
pub(super) fn start(setup: &Setup, sigmas: &[f64]) -> Level {
    let largest = sigmas.iter().copied().fold(0.0, f64::max);
    let leading = setup.spacing == Spacing::Leading;
    Level { image: 0.0, noise: if leading { (largest * largest + 1.0).sqrt() } else { largest } }
}
