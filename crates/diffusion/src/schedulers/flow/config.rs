//! `scheduler_config.json` of a model that predicts flow, and how the model's pipeline uses it.

use crate::schedulers::ScheduleError;
use maquette_core::Scheduler;
use serde::Deserialize;

/// The part of `scheduler_config.json` that the schedulers of flow use, with the defaults of diffusers'
/// `FlowMatchEulerDiscreteScheduler`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct FlowConfig {
    /// Timesteps of the training.
    pub num_train_timesteps: usize,
    /// How far the steps are moved towards the noise, unless that depends on the size.
    pub shift: f64,
    /// Whether it depends on the picture's size.
    pub use_dynamic_shifting: bool,
    /// The exponent of the shift of pictures with `base_image_seq_len` tokens.
    pub base_shift: Option<f64>,
    /// That of pictures with `max_image_seq_len` tokens.
    pub max_shift: Option<f64>,
    /// Tokens of a small picture.
    pub base_image_seq_len: usize,
    /// Tokens of a large picture.
    pub max_image_seq_len: usize,
    /// Whether the shift is the exponential of that number, or the number.
    pub time_shift_type: TimeShift,
    /// The last sigma before 0, to which Euler's schedule is stretched. Other classes of schedulers do not have it.
    pub shift_terminal: Option<f64>,
    /// Whether Euler's sigmas follow a beta distribution. Those of other classes would, but not here.
    pub use_beta_sigmas: Option<bool>,

    // The following keys are read only to refuse values other than the default.
    /// Whether sigmas count up.
    pub invert_sigmas: Option<bool>,
    /// Whether sigmas follow Karras et al.
    pub use_karras_sigmas: Option<bool>,
    /// Whether sigmas are evenly spaced in their logarithm.
    pub use_exponential_sigmas: Option<bool>,
    /// Whether each step adds fresh noise.
    pub stochastic_sampling: Option<bool>,
}

/// How a number that depends on the size becomes a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeShift {
    /// Its exponential.
    Exponential,
    /// Itself.
    Linear,
}

/// How the pipeline of a family calls its scheduler.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowRule {
    /// The sigmas before they are shifted.
    pub range: SigmaRange,
    /// The exponent of the shift, where it depends on the size.
    pub mu: Mu,
}

/// The sigmas before they are shifted, evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigmaRange {
    /// From 1 to 1/N for N steps, which the pipelines of FLUX and of its successors pass to the scheduler.
    ToLastStep,
    /// From the largest to the smallest of the training, as the scheduler's class chooses them. A constant shift is applied
    /// to both of them, and then to all.
    OfTraining,
}

/// The exponent of the shift of a picture with a number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mu {
    /// On the line through the base's and the maximum's: `calculate_shift` of diffusers' pipelines.
    Line,
    /// By tokens and steps, as fitted for FLUX.2: `compute_empirical_mu` of diffusers' `pipeline_flux2.py`.
    Empirical,
}

impl Default for FlowConfig {
    fn default() -> FlowConfig {
        FlowConfig {
            num_train_timesteps: 1000,
            shift: 1.0,
            use_dynamic_shifting: false,
            base_shift: Some(0.5),
            max_shift: Some(1.15),
            base_image_seq_len: 256,
            max_image_seq_len: 4096,
            time_shift_type: TimeShift::Exponential,
            shift_terminal: None,
            invert_sigmas: None,
            use_karras_sigmas: None,
            use_exponential_sigmas: None,
            use_beta_sigmas: None,
            stochastic_sampling: None,
        }
    }
}

impl FlowConfig {
    /// The shift of every picture; `None` if it depends on the size.
    pub fn constant_shift(&self) -> Option<f64> {
        (!self.use_dynamic_shifting).then_some(self.shift)
    }

    /// The sigma that Euler's schedule is stretched to; 0 counts as none, as in Python.
    pub(super) fn terminal(&self) -> Option<f64> {
        self.shift_terminal.filter(|&terminal| terminal != 0.0)
    }

    /// The shift of a picture with that many tokens and steps.
    pub(super) fn shift_of(&self, mu: Mu, tokens: usize, steps: usize) -> f64 {
        if let Some(shift) = self.constant_shift() {
            return shift;
        }
        let mu = match mu {
            Mu::Line => {
                let (base, max) = (self.base_shift.unwrap_or(0.5), self.max_shift.unwrap_or(1.15));
                let (few, many) = (self.base_image_seq_len as f64, self.max_image_seq_len as f64);
                let slope = (max - base) / (many - few);
                tokens as f64 * slope + (base - slope * few)
            }
            Mu::Empirical => empirical(tokens as f64, steps as f64),
        };
        match self.time_shift_type {
            TimeShift::Exponential => mu.exp(),
            TimeShift::Linear => mu,
        }
    }

    /// Refuses what would otherwise be ignored.
    pub(super) fn supported(&self, scheduler: Scheduler) -> Result<(), ScheduleError> {
        let refuse = |key, value: String, supported: &str| {
            Err(ScheduleError::Unsupported { key, value, supported: supported.to_owned() })
        };
        for (key, value) in [
            ("invert_sigmas", self.invert_sigmas),
            ("use_karras_sigmas", self.use_karras_sigmas),
            ("use_exponential_sigmas", self.use_exponential_sigmas),
            ("use_beta_sigmas", self.use_beta_sigmas.filter(|_| scheduler != Scheduler::FlowEuler)),
            ("stochastic_sampling", self.stochastic_sampling),
        ] {
            if value == Some(true) {
                return refuse(key, "true".to_owned(), "`false`");
            }
        }
        if let Some(terminal) = self.shift_terminal.filter(|terminal| !(0.0..1.0).contains(terminal)) {
            return refuse("shift_terminal", terminal.to_string(), "a number from 0 to below 1");
        }
        if self.num_train_timesteps < 2 {
            return refuse("num_train_timesteps", self.num_train_timesteps.to_string(), "at least 2");
        }
        if self.shift.is_nan() || self.shift <= 0.0 {
            return refuse("shift", self.shift.to_string(), "a number above 0");
        }
        Ok(())
    }
}

fn empirical(tokens: f64, steps: f64) -> f64 {
    let of_200 = 0.00016927 * tokens + 0.45666666;
    if tokens > 4300.0 {
        return of_200;
    }
    let of_10 = 8.73809524e-05 * tokens + 1.89833333;
    let slope = (of_200 - of_10) / 190.0;
    slope * steps + (of_200 - 200.0 * slope)
}
