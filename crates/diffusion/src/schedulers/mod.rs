//! Schedulers: compute all steps of a picture in advance.
//!
//! Without thresholding every scheduler here is linear, apart from clipping: the next latents are a weighted sum of the
//! latents, of the UNet's current and earlier predictions, and of fresh noise, with weights that depend only on the
//! schedule. So a scheduler is a plain function that computes these weights for a whole [`Trajectory`] in advance, on
//! the host, in f64. The state of a picture between steps is a few tensors; no scheduler object is shared between
//! pictures. This module draws no noise and uses no tensors.

mod config;
mod ddim;
mod ddpm;
mod dpmpp_2m;
mod error;
mod euler;
mod flow;
mod heun;
mod lcm;
mod pndm;
mod prediction;
mod sampling;
mod schedule;
mod setup;
mod spacing;
mod steps;
mod supported;
mod unipc;

pub use config::{BetaSchedule, SchedulerConfig};
pub use error::ScheduleError;
pub use flow::{FlowConfig, FlowRule, Mu, SigmaRange, flow_trajectory};
pub use sampling::Sampling;
pub use steps::{Estimate, Level, Linear, Step, Sum, Trajectory};

use maquette_core::{Scheduler, Sigmas, steps_left, unet_calls};
use schedule::Schedule;
use setup::Setup;

/// The steps of a picture with these settings.
///
/// There are [`unet_calls`] steps. With a strength, all but the last [`steps_left`] of the schedule are skipped, as in
/// diffusers' image-to-image pipeline, and even a strength of 1 starts from the picture.
pub fn trajectory(config: &SchedulerConfig, sampling: &Sampling) -> Result<Trajectory, ScheduleError> {
    let Sampling { scheduler, steps, strength, .. } = *sampling;
    if scheduler.is_flow() {
        return Err(ScheduleError::OnlyFlow { scheduler });
    }
    let config = &config.with(sampling.prediction_type, sampling.zero_snr);
    supported::supported(config, scheduler, sampling.spacing)?;
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
        prediction: config.prediction(),
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
        Scheduler::FlowEuler | Scheduler::FlowHeun | Scheduler::FlowDpmpp2m => {
            return Err(ScheduleError::OnlyFlow { scheduler });
        }
    };
    let mut trajectory = trajectory.ok_or(too_many)?;
    if let (Some(_), Some(first)) = (strength, trajectory.steps.first()) {
        trajectory.start = first.level;
    }
    if trajectory.is_finite() { Ok(trajectory) } else { Err(ScheduleError::NotFinite { scheduler, steps }) }
}

#[cfg(test)]
mod tests;
