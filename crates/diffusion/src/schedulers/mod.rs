//! Schedulers: from a number of steps to the whole list of what each step does.
//!
//! Without thresholding every scheduler here is linear, apart from clipping: the next latents are a weighted sum of the
//! latents, of what the UNet says of them and said before, and of fresh noise, with weights that depend on the schedule
//! alone. So a scheduler is a plain function that writes down those weights for a whole [`Trajectory`] in advance, on
//! the host, in f64. What a picture carries from step to step is a few tensors; there is no scheduler object to share
//! between pictures. Nothing here draws noise or touches a tensor.

mod config;
mod ddim;
mod ddpm;
mod dpmpp_2m;
mod error;
mod euler;
mod heun;
mod lcm;
mod pndm;
mod prediction;
mod schedule;
mod spacing;
mod supported;
mod unipc;

pub use config::{BetaSchedule, PredictionType, SchedulerConfig};
pub use error::ScheduleError;
pub use prediction::Linear;

use maquette_core::{Scheduler, Settings, Sigmas, Spacing, steps_left, unet_calls};
use schedule::Schedule;

/// Everything that happens to the latents of one picture, from the first to the last step.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// The latents before the first step: the level of that step for image-to-image, the class's own for
    /// text-to-image.
    pub start: Level,
    /// The steps in order; one UNet call each. Never empty.
    pub steps: Vec<Step>,
}

/// How noisy latents are: `image * image_latents + noise * gaussian`, diffusers' `add_noise`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Weight of a picture's latents.
    pub image: f64,
    /// Weight of the noise.
    pub noise: f64,
}

/// One UNet call and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The timestep that the UNet is told; Euler's may be fractional.
    pub timestep: f32,
    /// How noisy the latents are before this step: where a masked picture's reference is blended in.
    pub level: Level,
    /// The latents are multiplied by this on their way into the UNet (`scale_model_input`).
    pub input_scale: f64,
    /// What this step makes of the UNet's answer, where a sum needs it as a whole; it joins the history.
    pub estimate: Option<Estimate>,
    /// What is remembered for later steps, in place of what was.
    pub remember: Option<Sum>,
    /// The next latents, fresh noise apart.
    pub next: Sum,
    /// Weight of fresh noise in the next latents; `None` when none is drawn. A weight of 0 still draws.
    pub noise: Option<f64>,
}

impl Step {
    /// A step without memory: on its way in nothing is scaled, and only the estimate and fresh noise add to the answer.
    fn alone(
        timestep: i64,
        level: Level,
        (next, estimate): (Sum, Option<Estimate>),
        noise: Option<f64>,
    ) -> Step {
        Step { timestep: timestep as f32, level, input_scale: 1.0, estimate, remember: None, next, noise }
    }
}

/// The clean latents, as a scheduler believes them to be, or PNDM's noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Its two weights.
    pub of: Linear,
    /// Its largest absolute value, for configurations that clip.
    pub clip: Option<f64>,
}

/// A weighted sum of what is at hand in a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sum {
    /// Weight of the current latents.
    pub sample: f64,
    /// Weight of the UNet's answer to this call.
    pub noise_pred: f64,
    /// Weight of this step's estimate.
    pub estimate: f64,
    /// Weight of what is remembered, as it was before this call.
    pub remembered: f64,
    /// Weights of earlier estimates, the most recent first.
    pub history: Vec<f64>,
}

/// What a picture's settings say of its steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The rule of each step.
    pub scheduler: Scheduler,
    /// Steps of the whole schedule, at least 1.
    pub steps: u32,
    /// How far to leave the reference picture, 0 to 1; `None` for text-to-image.
    pub strength: Option<f64>,
    /// How much fresh noise DDIM adds, 0 to 1.
    pub eta: f64,
    /// How noise levels are spaced.
    pub sigmas: Sigmas,
    /// How timesteps are chosen; of no meaning to LCM.
    pub spacing: Spacing,
}

impl From<&Settings> for Sampling {
    fn from(settings: &Settings) -> Sampling {
        Sampling {
            scheduler: settings.scheduler,
            steps: settings.steps,
            strength: settings.strength,
            eta: settings.eta.unwrap_or(0.0),
            sigmas: settings.sigmas.unwrap_or(Sigmas::Normal),
            spacing: settings.spacing.unwrap_or(Spacing::Leading),
        }
    }
}

/// What the rules below read.
struct Setup<'a> {
    config: &'a SchedulerConfig,
    schedule: Schedule,
    prediction: PredictionType,
    eta: f64,
    sigmas: Sigmas,
    spacing: Spacing,
    /// Steps of the whole schedule.
    steps: usize,
    /// How many of them image-to-image leaves out, from the first.
    skipped: usize,
}

/// What a picture with these settings goes through.
///
/// It has [`unet_calls`] steps. With a strength, all but the last [`steps_left`] of the schedule are left out, as in
/// diffusers' image-to-image pipeline, and even a strength of 1 starts from the picture.
pub fn trajectory(config: &SchedulerConfig, sampling: &Sampling) -> Result<Trajectory, ScheduleError> {
    let Sampling { scheduler, steps, strength, .. } = *sampling;
    supported::supported(config, scheduler)?;
    let schedule = Schedule::new(config, scheduler);
    let (key, limit) = match scheduler {
        Scheduler::Lcm => ("original_inference_steps", config.original_inference_steps()),
        _ => ("num_train_timesteps", schedule.len()),
    };
    let too_many = ScheduleError::TooManySteps { scheduler, steps, key, limit };
    let count = steps as usize;
    if count > limit {
        return Err(too_many);
    }
    if unet_calls(scheduler, steps, strength) == 0 {
        return Err(ScheduleError::NoSteps { scheduler, steps, strength: strength.unwrap_or(1.0) });
    }
    let setup = Setup {
        config,
        schedule,
        prediction: config.prediction_type.unwrap_or(PredictionType::Epsilon),
        eta: sampling.eta,
        sigmas: if scheduler.has_sigmas() { sampling.sigmas } else { Sigmas::Normal },
        spacing: sampling.spacing,
        steps: count,
        skipped: strength.map_or(0, |strength| (steps - steps_left(steps, strength)) as usize),
    };
    let trajectory = match scheduler {
        Scheduler::Pndm => pndm::trajectory(&setup),
        Scheduler::Ddim => ddim::trajectory(&setup),
        Scheduler::Ddpm => ddpm::trajectory(&setup),
        Scheduler::Euler => Some(euler::trajectory(&setup)),
        Scheduler::EulerA => Some(euler::ancestral(&setup)),
        Scheduler::Heun => Some(heun::trajectory(&setup)),
        Scheduler::Dpmpp2m => Some(dpmpp_2m::trajectory(&setup)),
        Scheduler::Unipc => Some(unipc::trajectory(&setup)),
        Scheduler::Lcm => lcm::trajectory(&setup),
    };
    let mut trajectory = trajectory.ok_or(too_many)?;
    if let (Some(_), Some(first)) = (strength, trajectory.steps.first()) {
        trajectory.start = first.level;
    }
    if trajectory.is_finite() { Ok(trajectory) } else { Err(ScheduleError::NotFinite { scheduler, steps }) }
}

impl Trajectory {
    /// Whether every weight is a number: two steps at one timestep, or noise read off pure noise, divide by zero.
    fn is_finite(&self) -> bool {
        let finite = |sum: &Sum| {
            let weights = [sum.sample, sum.noise_pred, sum.estimate, sum.remembered];
            weights.iter().chain(&sum.history).all(|weight| weight.is_finite())
        };
        self.steps.iter().all(|step| {
            finite(&step.next)
                && step.remember.as_ref().is_none_or(finite)
                && step.estimate.is_none_or(|e| e.of.sample.is_finite() && e.of.noise_pred.is_finite())
                && step.noise.is_none_or(f64::is_finite)
        })
    }
}

#[cfg(test)]
mod tests;
