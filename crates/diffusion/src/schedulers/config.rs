//! `scheduler_config.json`: the noise schedule that a model was trained with, and its preferred sampling.
//!
//! Not here: which values a scheduler supports (`supported.rs`).

use maquette_core::{PredictionType, Scheduler, Sigmas, Spacing};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The part of `scheduler_config.json` that the schedulers use.
///
/// An absent key has the default of the scheduler's own class, not of the class that wrote the file, as in diffusers'
/// `from_config`; therefore most fields are `Option`. A flag that is null counts as false, as in Python, whatever its
/// default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SchedulerConfig {
    /// The class that wrote the file, such as `PNDMScheduler`.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// The keys whose value is null.
    #[serde(skip)]
    pub(super) nulls: Vec<String>,
    /// First beta.
    pub beta_start: Option<f64>,
    /// Last beta.
    pub beta_end: Option<f64>,
    /// How betas are spaced between the two.
    pub beta_schedule: Option<BetaSchedule>,
    /// The betas themselves, if the file lists them.
    pub trained_betas: Option<Vec<f64>>,
    /// Timesteps of the training.
    #[serde(default = "num_train_timesteps")]
    pub num_train_timesteps: usize,
    /// Whether betas are rescaled so that the last timestep is pure noise (arXiv 2305.08891, algorithm 1).
    #[serde(default, deserialize_with = "null_is_false")]
    pub rescale_betas_zero_snr: Option<bool>,
    /// What the UNet predicts.
    pub prediction_type: Option<PredictionType>,

    /// How N timesteps are chosen.
    pub timestep_spacing: Option<Spacing>,
    /// Added to every timestep of the leading spacing.
    pub steps_offset: Option<i64>,
    /// Whether the step after the last one is noise-free (alpha 1) or the first timestep of training.
    #[serde(default, deserialize_with = "null_is_false")]
    pub set_alpha_to_one: Option<bool>,
    /// Whether estimates of the clean latents are clipped.
    #[serde(default, deserialize_with = "null_is_false")]
    pub clip_sample: Option<bool>,
    /// The range they are clipped to.
    pub clip_sample_range: Option<f64>,
    /// Whether sigmas follow Karras et al.
    pub use_karras_sigmas: Option<bool>,
    /// Whether sigmas are evenly spaced in their logarithm.
    pub use_exponential_sigmas: Option<bool>,
    /// The smallest of Karras' or exponential sigmas, if it is not that of the timesteps.
    pub sigma_min: Option<f64>,
    /// The largest of them.
    pub sigma_max: Option<f64>,
    /// Whether PNDM skips its Runge-Kutta steps.
    #[serde(default, deserialize_with = "null_is_false")]
    pub skip_prk_steps: Option<bool>,
    /// How much noise DDPM adds at each step.
    pub variance_type: Option<String>,
    /// LCM: the steps of the schedule that the model was distilled with.
    pub original_inference_steps: Option<usize>,
    /// LCM: the factor of timesteps in the boundary conditions.
    pub timestep_scaling: Option<f64>,

    // The following keys are read only to refuse values other than the default.
    /// Dynamic thresholding.
    pub thresholding: Option<bool>,
    /// Order of the multistep solvers.
    pub solver_order: Option<usize>,
    /// `midpoint` or `heun` for DPM-Solver, `bh1` or `bh2` for UniPC.
    pub solver_type: Option<String>,
    /// The variant of DPM-Solver.
    pub algorithm_type: Option<String>,
    /// Whether the last step is of first order, for short schedules.
    #[serde(default, deserialize_with = "null_is_false")]
    pub lower_order_final: Option<bool>,
    /// UniPC: whether it predicts clean latents instead of noise.
    #[serde(default, deserialize_with = "null_is_false")]
    pub predict_x0: Option<bool>,
    /// UniPC: steps without the corrector.
    pub disable_corrector: Option<Vec<i64>>,
    /// The sigma after the last step.
    pub final_sigmas_type: Option<String>,
    /// How sigmas between timesteps are found.
    pub interpolation_type: Option<String>,
    /// Whether the UNet's input is timesteps or logarithms of sigmas.
    pub timestep_type: Option<String>,
    /// Sigmas from a beta distribution.
    pub use_beta_sigmas: Option<bool>,
    /// Sigmas of Lu's method.
    pub use_lu_lambdas: Option<bool>,
    /// Sigmas of flow matching.
    pub use_flow_sigmas: Option<bool>,
    /// Where DPM-Solver cuts off the logarithm of the signal-to-noise ratio.
    pub lambda_min_clipped: Option<f64>,
}

/// How betas are spaced from first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Evenly.
    Linear,
    /// Their square roots evenly, as in latent diffusion.
    ScaledLinear,
    /// After a squared cosine (Nichol and Dhariwal, arXiv 2102.09672), without first and last beta.
    #[serde(rename = "squaredcos_cap_v2")]
    SquaredCosine,
}

impl SchedulerConfig {
    /// Reads the content of a file.
    pub fn read(values: &Map<String, Value>) -> serde_json::Result<SchedulerConfig> {
        let config = SchedulerConfig::deserialize(values)?;
        let nulls = values.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.clone());
        Ok(SchedulerConfig { nulls: nulls.collect(), ..config })
    }

    /// The same model with another prediction type or schedule; `None` keeps its own.
    pub(super) fn with(&self, prediction: Option<PredictionType>, zero_snr: Option<bool>) -> SchedulerConfig {
        SchedulerConfig {
            prediction_type: prediction.or(self.prediction_type),
            rescale_betas_zero_snr: zero_snr.or(self.rescale_betas_zero_snr),
            ..self.clone()
        }
    }

    /// The configuration as the constructors of diffusers' `StableDiffusionPipeline` and its image-to-image variant change
    /// it. The inpainting variant leaves `clip_sample`; here all of them use latents that are not clipped.
    pub(crate) fn in_stable_diffusion(mut self) -> SchedulerConfig {
        self.nulls.retain(|key| key != "steps_offset");
        SchedulerConfig { steps_offset: Some(1), clip_sample: Some(false), ..self }
    }

    /// What the UNet predicts; diffusers' default is the same in every class.
    pub fn prediction(&self) -> PredictionType {
        self.prediction_type.unwrap_or(PredictionType::Epsilon)
    }

    /// What is added to every timestep of the leading spacing; diffusers' default is the same in every class.
    pub(super) fn steps_offset(&self) -> i64 {
        self.steps_offset.unwrap_or(0)
    }

    /// How the configuration spaces its sigmas, if it says so.
    pub fn sigmas(&self) -> Option<Sigmas> {
        match (self.use_karras_sigmas, self.use_exponential_sigmas) {
            (Some(true), _) => Some(Sigmas::Karras),
            (_, Some(true)) => Some(Sigmas::Exponential),
            (None, None) => None,
            _ => Some(Sigmas::Normal),
        }
    }

    /// First beta, last beta and their spacing, with the class's own defaults.
    pub(super) fn betas(&self, scheduler: Scheduler) -> (f64, f64, BetaSchedule) {
        let (start, end, schedule) = match scheduler {
            Scheduler::Heun => (0.00085, 0.012, BetaSchedule::Linear),
            Scheduler::Lcm => (0.00085, 0.012, BetaSchedule::ScaledLinear),
            _ => (0.0001, 0.02, BetaSchedule::Linear),
        };
        (
            self.beta_start.unwrap_or(start),
            self.beta_end.unwrap_or(end),
            self.beta_schedule.unwrap_or(schedule),
        )
    }

    /// The range that estimates of the clean latents are clipped to, if any; `own` is the class's default.
    pub(super) fn clip(&self, own: bool) -> Option<f64> {
        self.clip_sample.unwrap_or(own).then(|| self.clip_sample_range.unwrap_or(1.0))
    }

    pub(super) fn original_inference_steps(&self) -> usize {
        self.original_inference_steps.unwrap_or(50)
    }
}

/// A flag that is present: null counts as false.
fn null_is_false<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    Ok(Some(Option::<bool>::deserialize(from)?.unwrap_or(false)))
}

/// Diffusers' default, the same in every class.
fn num_train_timesteps() -> usize {
    1000
}
