//! `scheduler_config.json`: what a model says of the noise that it was trained with.

use serde::Deserialize;

/// The part of `scheduler_config.json` that the schedulers here read.
///
/// A key that is absent takes the default of the scheduler's own class, not of the class that wrote the file: that is
/// what diffusers' `from_config` does, and why some fields are `Option`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SchedulerConfig {
    /// The class that wrote the file, such as `PNDMScheduler`.
    #[serde(rename = "_class_name")]
    pub class_name: String,
    /// First beta.
    #[serde(default = "default::beta_start")]
    pub beta_start: f64,
    /// Last beta.
    #[serde(default = "default::beta_end")]
    pub beta_end: f64,
    /// How betas run between the two.
    #[serde(default)]
    pub beta_schedule: BetaSchedule,
    /// The betas themselves, where the file lists them.
    #[serde(default)]
    pub trained_betas: Option<Vec<f64>>,
    /// Timesteps of the training.
    #[serde(default = "default::num_train_timesteps")]
    pub num_train_timesteps: usize,
    /// Added to every timestep of the leading spacing.
    #[serde(default)]
    pub steps_offset: i64,
    /// Whether the step after the last one is noise-free (alpha 1) or the first timestep of training.
    pub set_alpha_to_one: Option<bool>,
    /// Whether PNDM leaves out its Runge-Kutta steps. Only `true` is supported, as in Stable Diffusion.
    #[serde(default)]
    pub skip_prk_steps: bool,
    /// How N timesteps are chosen.
    pub timestep_spacing: Option<TimestepSpacing>,
    /// What the UNet predicts.
    pub prediction_type: Option<PredictionType>,
    /// Whether DDIM clips its estimate of the clean latents.
    pub clip_sample: Option<bool>,
    /// To what it clips.
    pub clip_sample_range: Option<f64>,
    /// Dynamic thresholding; not supported.
    #[serde(default)]
    pub thresholding: bool,
    /// Rescaling to zero terminal signal-to-noise ratio; not supported.
    #[serde(default)]
    pub rescale_betas_zero_snr: bool,
}

/// How betas run from first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Evenly.
    #[default]
    Linear,
    /// Their square roots evenly: latent diffusion's choice.
    ScaledLinear,
}

/// How N timesteps are chosen from the training's (table 2 of arXiv 2305.08891).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// Multiples of T // N, from the start.
    Leading,
    /// Multiples of T / N, from the end.
    Trailing,
    /// Evenly between both ends.
    Linspace,
}

/// What the UNet predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise.
    Epsilon,
    /// The velocity; not supported yet.
    VPrediction,
    /// The clean latents; not supported.
    Sample,
}

/// diffusers' defaults, the same in every class here.
mod default {
    pub fn beta_start() -> f64 {
        0.0001
    }

    pub fn beta_end() -> f64 {
        0.02
    }

    pub fn num_train_timesteps() -> usize {
        1000
    }
}
