//! The steps of one picture's latents: weights, computed in advance.
//!
//! Not here: computing the weights.

/// All steps of one picture's latents.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// The level of the latents before the first step: that of the first step for image-to-image, that of the
    /// scheduler's class for text-to-image.
    pub start: Level,
    /// The steps in order, with one UNet call each. Never empty.
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
    /// The UNet's timestep; Euler's may be fractional.
    pub timestep: f32,
    /// The noise level before this step, at which a masked picture's reference is blended in.
    pub level: Level,
    /// The UNet's input is the latents multiplied by this (`scale_model_input`).
    pub input_scale: f64,
    /// An estimate from the UNet's prediction, if a sum needs one; it is added to the history.
    pub estimate: Option<Estimate>,
    /// What to remember for later steps, replacing the previous value.
    pub remember: Option<Sum>,
    /// The next latents, without fresh noise.
    pub next: Sum,
    /// Weight of fresh noise in the next latents; `None` if none is drawn. With a weight of 0 it is still drawn.
    pub noise: Option<f64>,
}

impl Step {
    /// A step that remembers nothing and does not scale its input.
    pub(super) fn alone(
        timestep: i64,
        level: Level,
        (next, estimate): (Sum, Option<Estimate>),
        noise: Option<f64>,
    ) -> Step {
        Step { timestep: timestep as f32, level, input_scale: 1.0, estimate, remember: None, next, noise }
    }
}

/// A scheduler's estimate of the clean latents, or PNDM's noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Its two weights.
    pub of: Linear,
    /// Its largest absolute value, if the configuration clips.
    pub clip: Option<f64>,
}

/// `sample * latents + noise_pred * prediction`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// Weight of the current latents.
    pub sample: f64,
    /// Weight of the UNet's prediction.
    pub noise_pred: f64,
}

/// A weighted sum of the tensors available in a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sum {
    /// Weight of the current latents.
    pub sample: f64,
    /// Weight of the UNet's prediction in this step.
    pub noise_pred: f64,
    /// Weight of this step's estimate.
    pub estimate: f64,
    /// Weight of the remembered tensor, before it is replaced in this step.
    pub remembered: f64,
    /// Weights of earlier estimates, the most recent first.
    pub history: Vec<f64>,
}

impl Trajectory {
    /// Whether every weight is finite: two steps at one timestep, or predicting noise from pure noise, divide by zero.
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
