//! Schedulers: from a number of steps to the whole list of what each step does.
//!
//! Without thresholding every scheduler here is linear: the next latents are a weighted sum of the latents, of the
//! noise predicted now and before, and of fresh noise, with weights that depend on the schedule alone. So a scheduler
//! is a plain function that writes down those weights for a whole [`Trajectory`] in advance, on the host, in f64. What
//! a picture carries from step to step is a few tensors; there is no scheduler object to share between pictures.
//! Nothing here draws noise or touches a tensor.

mod config;
mod ddim;
mod euler;
mod pndm;
mod schedule;

pub use config::{BetaSchedule, PredictionType, SchedulerConfig, TimestepSpacing};

use maquette_core::Scheduler;
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
    /// Whether these latents are remembered for a later step.
    pub remember: bool,
    /// Whether the noise predicted here joins the history.
    pub keep: bool,
    /// The next latents.
    pub next: Update,
}

/// The next latents as a weighted sum.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Update {
    /// Weight of the current latents.
    pub sample: f64,
    /// Weight of the remembered latents.
    pub remembered: f64,
    /// Weight of the noise predicted by this call.
    pub noise_pred: f64,
    /// Weights of the history, the most recent first, as it was before this call.
    pub history: Vec<f64>,
    /// Weight of fresh noise; `None` when none is drawn. A weight of 0 still draws.
    pub noise: Option<f64>,
    /// A clipped estimate of the clean latents, for configurations that ask for it.
    pub clipped: Option<Clipped>,
}

/// `weight * clamp(sample * latents + noise_pred * prediction, -range, range)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clipped {
    /// Weight of the current latents in the estimate.
    pub sample: f64,
    /// Weight of the predicted noise in the estimate.
    pub noise_pred: f64,
    /// Largest absolute value of the estimate.
    pub range: f64,
    /// Weight of the clipped estimate in the sum.
    pub weight: f64,
}

/// A schedule that cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing is left to do.
    #[error(
        "`{scheduler}` has no step to do: int(steps {steps} x strength {strength}) is 0; \
         allowed: a strength of at least 1/{steps}"
    )]
    NoSteps {
        /// The scheduler.
        scheduler: Scheduler,
        /// The steps of the whole schedule.
        steps: u32,
        /// How far to leave the reference picture.
        strength: f64,
    },
    /// More steps than the model was trained with.
    #[error(
        "`{scheduler}` cannot make {steps} steps of a model trained with {trained}; allowed: fewer steps"
    )]
    TooManySteps {
        /// The scheduler.
        scheduler: Scheduler,
        /// The steps that were asked for.
        steps: u32,
        /// `num_train_timesteps`.
        trained: usize,
    },
    /// The model's configuration asks for something that is not supported.
    #[error("`{key}` is `{value}` in scheduler_config.json; supported: {supported}")]
    Unsupported {
        /// The configuration's key.
        key: &'static str,
        /// What it says.
        value: String,
        /// What would do.
        supported: &'static str,
    },
}

/// What a picture with these settings goes through.
///
/// `strength` is `None` for text-to-image. With it, the first `steps - int(steps * strength)` steps are left out,
/// as in diffusers' image-to-image pipeline (`get_timesteps`), and even a strength of 1 starts from the picture.
pub fn trajectory(
    config: &SchedulerConfig,
    scheduler: Scheduler,
    steps: u32,
    strength: Option<f64>,
) -> Result<Trajectory, ScheduleError> {
    let schedule = Schedule::new(config)?;
    let steps = steps as usize;
    if steps > schedule.len() {
        return Err(too_many(scheduler, steps, &schedule));
    }
    let skipped = strength.map_or(0, |strength| steps - first_steps(steps, strength));
    let trajectory = match scheduler {
        Scheduler::Ddim => ddim::trajectory(&schedule, config, steps, skipped),
        Scheduler::Pndm => pndm::trajectory(&schedule, config, steps, skipped),
        Scheduler::Euler => euler::trajectory(&schedule, config, steps, skipped, euler::plain),
        Scheduler::EulerA => euler::trajectory(&schedule, config, steps, skipped, euler::ancestral),
        Scheduler::Ddpm | Scheduler::Heun | Scheduler::Dpmpp2m | Scheduler::Unipc | Scheduler::Lcm => None,
    };
    let mut trajectory = trajectory.ok_or_else(|| too_many(scheduler, steps, &schedule))?;
    match (trajectory.steps.first(), strength) {
        (None, _) => {
            let strength = strength.unwrap_or(1.0);
            return Err(ScheduleError::NoSteps { scheduler, steps: steps as u32, strength });
        }
        (Some(first), Some(_)) => trajectory.start = first.level,
        (Some(_), None) => {}
    }
    Ok(trajectory)
}

/// How many of the last steps image-to-image does: `min(int(steps * strength), steps)`, the product in f64.
fn first_steps(steps: usize, strength: f64) -> usize {
    ((steps as f64 * strength) as usize).min(steps)
}

fn too_many(scheduler: Scheduler, steps: usize, schedule: &Schedule) -> ScheduleError {
    ScheduleError::TooManySteps { scheduler, steps: steps as u32, trained: schedule.len() }
}

#[cfg(test)]
mod tests;
