//! The timesteps of a schedule of N steps, and their sigmas.
//!
//! Diffusers has three families, each with its own leading, trailing and linspace. By a rounding error, its trailing
//! spacing may have one timestep too many, before the first of the training (61 steps of 1000 are the first case); it is
//! left out here.

use super::schedule::Schedule;
use super::setup::Setup;
use maquette_core::{Sigmas, Spacing};

/// Timesteps, the largest first, and the sigma of each; the sigma after the last step, 0, is appended.
pub(super) struct Noised {
    pub timesteps: Vec<f32>,
    /// Rounded to f32, as in diffusers.
    pub sigmas: Vec<f64>,
}

/// The ratio of the leading spacing, `T // N`.
pub(super) fn ratio(schedule: &Schedule, steps: usize) -> i64 {
    (schedule.len() / steps) as i64
}

/// Timesteps of DDIM, DDPM and PNDM.
pub(super) fn whole(setup: &Setup) -> Vec<i64> {
    let Setup { schedule, config, steps, .. } = setup;
    let ratio = ratio(schedule, *steps);
    let last = (schedule.len() - 1) as f64;
    match setup.spacing {
        Spacing::Leading => {
            (0..*steps as i64).rev().map(|step| step * ratio + config.steps_offset()).collect()
        }
        Spacing::Trailing => trailing(schedule, *steps),
        Spacing::Linspace => {
            (0..*steps).rev().map(|step| even(step, *steps, last).round_ties_even() as i64).collect()
        }
    }
}

/// Timesteps and sigmas of the Euler family and Heun: not rounded when linspaced.
pub(super) fn fractional(setup: &Setup) -> Noised {
    let last = (setup.schedule.len() - 1) as f64;
    let timesteps: Vec<f32> = match setup.spacing {
        Spacing::Linspace => {
            (0..setup.steps).rev().map(|step| even(step, setup.steps, last) as f32).collect()
        }
        Spacing::Leading | Spacing::Trailing => whole(setup).into_iter().map(|t| t as f32).collect(),
    };
    let sigmas: Vec<f64> =
        timesteps.iter().map(|&timestep| setup.schedule.sigma_between(timestep.into())).collect();
    let ends = (sigmas[sigmas.len() - 1], sigmas[0]);
    match spaced(setup, ends) {
        None => noised(timesteps, sigmas),
        Some(sigmas) => {
            let timesteps = sigmas.iter().map(|&sigma| timestep_of(&setup.schedule, sigma) as f32).collect();
            noised(timesteps, sigmas)
        }
    }
}

/// Timesteps and sigmas of DPM-Solver++ and UniPC: integer timesteps, spaced for one step more than is used.
pub(super) fn multistep(setup: &Setup) -> Noised {
    let Setup { schedule, config, steps, .. } = setup;
    let last = (schedule.len() - 1) as f64;
    let ends = (f64::from(schedule.sigma(0)), f64::from(schedule.sigma(schedule.len() - 1)));
    if let Some(sigmas) = spaced(setup, ends) {
        let timestep = |&sigma: &f64| {
            let timestep = timestep_of(schedule, sigma);
            // Diffusers rounds those of Karras' sigmas and truncates the others.
            let whole =
                if setup.sigmas == Sigmas::Karras { timestep.round_ties_even() } else { timestep.trunc() };
            whole as f32
        };
        return noised(sigmas.iter().map(timestep).collect(), sigmas);
    }
    let timesteps: Vec<i64> = match setup.spacing {
        Spacing::Leading => {
            let ratio = ratio(schedule, steps + 1);
            (1..=*steps as i64).rev().map(|step| step * ratio + config.steps_offset()).collect()
        }
        Spacing::Trailing => trailing(schedule, *steps),
        Spacing::Linspace => {
            (1..=*steps).rev().map(|step| even(step, steps + 1, last).round_ties_even() as i64).collect()
        }
    };
    let sigmas = timesteps.iter().map(|&timestep| schedule.sigma_between(timestep as f64)).collect();
    noised(timesteps.into_iter().map(|timestep| timestep as f32).collect(), sigmas)
}

fn noised(timesteps: Vec<f32>, sigmas: Vec<f64>) -> Noised {
    let sigmas = sigmas.into_iter().chain([0.0]).map(|sigma| f64::from(sigma as f32)).collect();
    Noised { timesteps, sigmas }
}

/// `numpy.arange(T, 0, -T / N)`, rounded, less 1; numpy counts by the difference of its first two values.
fn trailing(schedule: &Schedule, steps: usize) -> Vec<i64> {
    let trained = schedule.len() as f64;
    let stride = (trained - trained / steps as f64) - trained;
    (0..steps).map(|step| (trained + step as f64 * stride).round_ties_even() as i64 - 1).collect()
}

/// The value at `step` of `numpy.linspace(0, last, steps)`.
fn even(step: usize, steps: usize, last: f64) -> f64 {
    match steps {
        0 | 1 => 0.0,
        _ if step == steps - 1 => last,
        _ => step as f64 * (last / (steps - 1) as f64),
    }
}

/// N sigmas between the smallest and the largest, independent of the timesteps; `None` if they follow the timesteps.
fn spaced(setup: &Setup, (smallest, largest): (f64, f64)) -> Option<Vec<f64>> {
    let smallest = setup.config.sigma_min.unwrap_or(smallest);
    let largest = setup.config.sigma_max.unwrap_or(largest);
    let ramp = (0..setup.steps).map(|step| even(step, setup.steps, 1.0));
    match setup.sigmas {
        Sigmas::Normal => None,
        Sigmas::Karras => {
            // Karras et al., arXiv 2206.00364, equation 5.
            const RHO: f64 = 7.0;
            let (low, high) = (smallest.powf(1.0 / RHO), largest.powf(1.0 / RHO));
            Some(ramp.map(|part| (high + part * (low - high)).powf(RHO)).collect())
        }
        Sigmas::Exponential => {
            let (low, high) = (smallest.ln(), largest.ln());
            let stride = (low - high) / (setup.steps.max(2) - 1) as f64;
            let last = setup.steps - 1;
            let log = |step| if step == last && step > 0 { low } else { high + step as f64 * stride };
            Some((0..setup.steps).map(|step| log(step).exp()).collect())
        }
    }
}

/// The fractional timestep of a sigma, interpolated between the logarithms of its neighbours, which are f32 in numpy.
///
/// Source: `_sigma_to_t` of diffusers' `EulerDiscreteScheduler`.
fn timestep_of(schedule: &Schedule, sigma: f64) -> f64 {
    let log = |timestep: usize| schedule.sigma(timestep).ln();
    let wanted = sigma.max(1e-10).ln();
    let above = (0..schedule.len()).rposition(|timestep| wanted >= f64::from(log(timestep)));
    let low = above.unwrap_or(0).min(schedule.len() - 2);
    let (from, to) = (log(low), log(low + 1));
    let weight = ((f64::from(from) - wanted) / f64::from(from - to)).clamp(0.0, 1.0);
    (1.0 - weight) * low as f64 + weight * (low + 1) as f64
}
