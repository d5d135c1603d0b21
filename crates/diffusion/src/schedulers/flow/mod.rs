//! Schedulers of flow matching (Lipman et al., arXiv 2210.02747; Liu et al., arXiv 2209.03003): latents are
//! `(1 - sigma) * image + sigma * noise`, and the model predicts `noise - image`.
//!
//! Sigmas are shifted towards the noise (Esser et al., arXiv 2403.03206, equation 23): `s * sigma / (1 + (s - 1) * sigma)`.
//! A shift that depends on the picture's size has the same form: `exp(mu) / (exp(mu) + 1 / sigma - 1)` is that with
//! `s = exp(mu)`.

mod config;

pub use config::{FlowConfig, FlowRule, Mu, SigmaRange};

use super::{Estimate, Level, Linear, Sampling, ScheduleError, Step, Sum, Trajectory, dpmpp_2m};
use maquette_core::{Scheduler, steps_left_with, unet_calls};
use statrs::function::beta::inv_beta_reg;

/// Both parameters of the beta distribution.
const BETA: f64 = 0.6;

/// The steps of a picture with `tokens` tokens, of a model that predicts flow.
///
/// There are [`unet_calls`] steps. With a strength, all but the last [`steps_left_with`] of the schedule are skipped, and even
/// a strength of 1 starts from the picture.
pub fn flow_trajectory(
    config: &FlowConfig,
    rule: FlowRule,
    sampling: &Sampling,
    tokens: usize,
) -> Result<Trajectory, ScheduleError> {
    let Sampling { scheduler, steps, strength, .. } = *sampling;
    if !scheduler.is_flow() {
        return Err(ScheduleError::NotFlow { scheduler });
    }
    config.supported(scheduler)?;
    if unet_calls(scheduler, steps, strength) == 0 {
        return Err(ScheduleError::NoSteps { scheduler, steps, strength: strength.unwrap_or(1.0) });
    }
    let count = steps as usize;
    if count > config.num_train_timesteps {
        let (key, limit) = ("num_train_timesteps", config.num_train_timesteps);
        return Err(ScheduleError::TooManySteps { scheduler, steps, key, limit });
    }
    let skipped = strength.map_or(0, |strength| steps - steps_left_with(scheduler, steps, strength)) as usize;
    let shift = sampling.shift.unwrap_or_else(|| config.shift_of(rule.mu, tokens, count));
    let is_constant = sampling.shift.is_some() || !config.use_dynamic_shifting;
    let trained = config.num_train_timesteps as f64;
    let smallest = match is_constant || scheduler == Scheduler::FlowHeun {
        true => f64::from(shifted(1.0 / trained, shift) as f32),
        false => 1.0 / trained,
    };
    let base = match (scheduler, rule.range) {
        (Scheduler::FlowDpmpp2m, _) => before_the_last(trained, count),
        (Scheduler::FlowEuler, SigmaRange::ToLastStep) => evenly(1.0, 1.0 / count as f64, count),
        _ => evenly(1.0, smallest, count),
    };
    let mut exact: Vec<f64> = base.into_iter().map(|sigma| shifted(sigma, shift)).collect();
    if let (Scheduler::FlowEuler, Some(terminal)) = (scheduler, config.terminal()) {
        if count == 1 {
            return Err(ScheduleError::OneStep { terminal });
        }
        stretch(&mut exact, terminal);
    }
    if config.use_beta_sigmas == Some(true) {
        exact = follow_beta(&exact);
    }
    let mut sigmas: Vec<f64> = exact.iter().map(|&sigma| f64::from(sigma as f32)).collect();
    // With DPM-Solver's class the model's input is a whole number, truncated before sigmas become f32.
    let timestep = |&sigma: &f64| match scheduler {
        Scheduler::FlowDpmpp2m => (sigma * trained).trunc() as f32,
        _ => sigma as f32 * trained as f32,
    };
    let timesteps: Vec<f32> = exact.iter().map(timestep).collect();
    sigmas.push(0.0);
    let steps_of = match scheduler {
        Scheduler::FlowHeun => heun,
        Scheduler::FlowDpmpp2m => multistep,
        _ => euler,
    };
    let all = steps_of(&timesteps, &sigmas, skipped);
    let start = match (strength, all.first()) {
        (Some(_), Some(first)) => first.level,
        _ => Level { image: 0.0, noise: 1.0 },
    };
    let trajectory = Trajectory { start, steps: all };
    if trajectory.is_finite() { Ok(trajectory) } else { Err(ScheduleError::NotFinite { scheduler, steps }) }
}

fn shifted(sigma: f64, shift: f64) -> f64 {
    shift * sigma / (1.0 + (shift - 1.0) * sigma)
}

/// Stretches sigmas from the first one, of 1, so that the last one is `terminal`: `stretch_shift_to_terminal` of diffusers'
/// `FlowMatchEulerDiscreteScheduler`.
fn stretch(sigmas: &mut [f64], terminal: f64) {
    let scale = sigmas.last().map_or(1.0, |last| (1.0 - last) / (1.0 - terminal));
    sigmas.iter_mut().for_each(|sigma| *sigma = 1.0 - (1.0 - *sigma) / scale);
}

/// As many sigmas between the first and the last one by the quantiles of a beta distribution (Lee et al., arXiv 2407.12173), whose
/// parameters are those of `_convert_to_beta` of diffusers' `FlowMatchEulerDiscreteScheduler`.
fn follow_beta(sigmas: &[f64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (sigmas.first(), sigmas.last()) else { return Vec::new() };
    let quantile = |share: f64| match share {
        0.0 | 1.0 => share,
        share => inv_beta_reg(BETA, BETA, share),
    };
    let shares = evenly(0.0, 1.0, sigmas.len()).into_iter().map(|share| 1.0 - share);
    shares.map(|share| last + quantile(share) * (first - last)).collect()
}

/// `numpy.linspace(first, last, count)`.
fn evenly(first: f64, last: f64, count: usize) -> Vec<f64> {
    let stride = if count > 1 { (last - first) / (count - 1) as f64 } else { 0.0 };
    (0..count)
        .map(|step| if step > 0 && step + 1 == count { last } else { first + step as f64 * stride })
        .collect()
}

/// The sigmas of `DPMSolverMultistepScheduler` with `use_flow_sigmas`: those of one step more, without the last.
fn before_the_last(trained: f64, count: usize) -> Vec<f64> {
    let alphas = evenly(1.0, 1.0 / trained, count + 1);
    alphas.into_iter().skip(1).rev().map(|alpha| 1.0 - alpha).collect()
}

fn level(sigma: f64) -> Level {
    Level { image: 1.0 - sigma, noise: sigma }
}

fn call(timestep: f32, sigma: f64, next: Sum) -> Step {
    Step {
        timestep,
        level: level(sigma),
        input_scale: 1.0,
        estimate: None,
        remember: None,
        next,
        noise: None,
    }
}

/// Source: `step` of diffusers' `FlowMatchEulerDiscreteScheduler`.
fn euler(timesteps: &[f32], sigmas: &[f64], skipped: usize) -> Vec<Step> {
    let step = |at: usize| {
        let next = Sum { sample: 1.0, noise_pred: sigmas[at + 1] - sigmas[at], ..Sum::default() };
        call(timesteps[at], sigmas[at], next)
    };
    (skipped..timesteps.len()).map(step).collect()
}

/// Source: `step` of diffusers' `FlowMatchHeunDiscreteScheduler`: the slope is the prediction itself, and every step but the
/// last takes the mean of the slopes at both ends.
fn heun(timesteps: &[f32], sigmas: &[f64], skipped: usize) -> Vec<Step> {
    let slope = Estimate { of: Linear { sample: 0.0, noise_pred: 1.0 }, clip: None };
    let mut steps = Vec::new();
    for at in skipped..timesteps.len() {
        let stride = sigmas[at + 1] - sigmas[at];
        let predicted = Sum { sample: 1.0, noise_pred: stride, ..Sum::default() };
        steps.push(Step {
            estimate: Some(slope),
            remember: Some(Sum { sample: 1.0, ..Sum::default() }),
            ..call(timesteps[at], sigmas[at], predicted)
        });
        if at + 1 < timesteps.len() {
            let half = 0.5 * stride;
            let corrected = Sum { remembered: 1.0, history: vec![half], noise_pred: half, ..Sum::default() };
            steps.push(call(timesteps[at + 1], sigmas[at + 1], corrected));
        }
    }
    steps
}

/// Second-order multistep DPM-Solver++ on the levels of flow; diffusers' `DPMSolverMultistepScheduler` with
/// `use_flow_sigmas` and `flow_prediction`.
fn multistep(timesteps: &[f32], sigmas: &[f64], skipped: usize) -> Vec<Step> {
    let step = |at: usize| {
        let before = (at > skipped && at + 1 < timesteps.len()).then(|| level(sigmas[at - 1]));
        let clean = Linear { sample: 1.0, noise_pred: -sigmas[at] };
        let next = dpmpp_2m::next(level(sigmas[at]), level(sigmas[at + 1]), before);
        Step { estimate: Some(Estimate { of: clean, clip: None }), ..call(timesteps[at], sigmas[at], next) }
    };
    (skipped..timesteps.len()).map(step).collect()
}

#[cfg(test)]
mod tests;
