//! What happens to the latents of one picture in each of its steps: weights, written down in advance.
//!
//! Not here: which weights a scheduler gives.

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
    /// The timestep that the UNet is given; Euler's may be fractional.
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
    pub(super) fn alone(
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

/// `sample * latents + noise_pred * prediction`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// Weight of the current latents.
    pub sample: f64,
    /// Weight of the UNet's answer.
    pub noise_pred: f64,
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

impl Trajectory {
    /// Whether every weight is a number: two steps at one timestep, or noise read off pure noise, divide by zero.
    pub(super) fn is_finite(&self) -> bool {
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
