//! The noise schedule of the training, and how timesteps are chosen from it.

use super::{BetaSchedule, PredictionType, ScheduleError, SchedulerConfig, TimestepSpacing};

/// `alphas_cumprod` of the training.
pub(super) struct Schedule {
    alphas_cumprod: Vec<f32>,
}

impl Schedule {
    /// Computed as torch computes it (betas and alphas in f32, the running product in f64 and stored in f32), because
    /// the last bits matter to the pictures. Source: `__init__` of diffusers' `DDIMScheduler`.
    pub fn new(config: &SchedulerConfig) -> Result<Schedule, ScheduleError> {
        supported(config)?;
        let betas = match &config.trained_betas {
            Some(betas) => betas.iter().map(|&beta| beta as f32).collect(),
            None => match config.beta_schedule {
                BetaSchedule::Linear => {
                    linspace(config.beta_start as f32, config.beta_end as f32, config.num_train_timesteps)
                }
                BetaSchedule::ScaledLinear => {
                    let (start, end) = (config.beta_start.sqrt() as f32, config.beta_end.sqrt() as f32);
                    linspace(start, end, config.num_train_timesteps)
                        .into_iter()
                        .map(|root| root * root)
                        .collect()
                }
            },
        };
        let mut product = 1.0_f64;
        let alphas_cumprod = betas
            .into_iter()
            .map(|beta| {
                product *= f64::from(1.0 - beta);
                product as f32
            })
            .collect();
        Ok(Schedule { alphas_cumprod })
    }

    /// Timesteps of the training.
    pub fn len(&self) -> usize {
        self.alphas_cumprod.len()
    }

    /// `alphas_cumprod[timestep]`; `None` outside the training.
    pub fn alpha(&self, timestep: i64) -> Option<f64> {
        self.alphas_cumprod.get(usize::try_from(timestep).ok()?).map(|&alpha| f64::from(alpha))
    }

    /// The alpha after the last step: 1, or that of the first timestep where `set_alpha_to_one` is false.
    pub fn final_alpha(&self, set_alpha_to_one: bool) -> f64 {
        if set_alpha_to_one { 1.0 } else { f64::from(self.alphas_cumprod[0]) }
    }

    /// `sqrt((1 - alpha) / alpha)` at a fractional timestep, interpolated linearly between its neighbours.
    pub fn sigma(&self, timestep: f64) -> f64 {
        let last = self.len() - 1;
        let at = |index: usize| {
            let alpha = self.alphas_cumprod[index.min(last)];
            f64::from(((1.0 - alpha) / alpha).sqrt())
        };
        let below = timestep.clamp(0.0, last as f64).floor();
        let (low, high) = (at(below as usize), at(below as usize + 1));
        low + (high - low) * (timestep.clamp(0.0, last as f64) - below)
    }
}

/// The ratio of the leading spacing, `T // N`.
pub(super) fn ratio(schedule: &Schedule, steps: usize) -> i64 {
    (schedule.len() / steps) as i64
}

/// `steps` timesteps, the largest first, as diffusers chooses them for DDIM and PNDM.
pub(super) fn whole_timesteps(
    schedule: &Schedule,
    config: &SchedulerConfig,
    spacing: TimestepSpacing,
    steps: usize,
) -> Vec<i64> {
    let (trained, count) = (schedule.len() as f64, steps as f64);
    let ascending: Vec<i64> = match spacing {
        TimestepSpacing::Leading => {
            (0..steps as i64).map(|step| step * ratio(schedule, steps) + config.steps_offset).collect()
        }
        TimestepSpacing::Trailing => (0..steps)
            .rev()
            .map(|step| (trained - step as f64 * (trained / count)).round_ties_even() as i64 - 1)
            .collect(),
        TimestepSpacing::Linspace => {
            (0..steps).map(|step| even(step, steps, trained - 1.0).round_ties_even() as i64).collect()
        }
    };
    ascending.into_iter().rev().collect()
}

/// `steps` timesteps, the largest first, as diffusers chooses them for the Euler family: not rounded when linspaced.
pub(super) fn fractional_timesteps(
    schedule: &Schedule,
    config: &SchedulerConfig,
    spacing: TimestepSpacing,
    steps: usize,
) -> Vec<f32> {
    match spacing {
        TimestepSpacing::Linspace => {
            let last = schedule.len() as f64 - 1.0;
            (0..steps).rev().map(|step| even(step, steps, last) as f32).collect()
        }
        TimestepSpacing::Leading | TimestepSpacing::Trailing => {
            let whole = whole_timesteps(schedule, config, spacing, steps);
            whole.into_iter().map(|timestep| timestep as f32).collect()
        }
    }
}

/// The value at `step` of `numpy.linspace(0, last, steps)`.
fn even(step: usize, steps: usize, last: f64) -> f64 {
    match steps {
        0 | 1 => 0.0,
        _ if step == steps - 1 => last,
        _ => step as f64 * (last / (steps - 1) as f64),
    }
}

/// `torch.linspace` in f32: the first half counts up from the start, the second down from the end.
fn linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    let step = (end - start) / (count - 1) as f32;
    (0..count)
        .map(|i| if i < count / 2 { start + step * i as f32 } else { end - step * (count - i - 1) as f32 })
        .collect()
}

fn supported(config: &SchedulerConfig) -> Result<(), ScheduleError> {
    let unsupported =
        |key, value: String, supported| Err(ScheduleError::Unsupported { key, value, supported });
    match config.prediction_type {
        None | Some(PredictionType::Epsilon) => {}
        Some(other) => return unsupported("prediction_type", format!("{other:?}"), "`epsilon`"),
    }
    if config.thresholding {
        return unsupported("thresholding", "true".to_owned(), "`false`");
    }
    if config.rescale_betas_zero_snr {
        return unsupported("rescale_betas_zero_snr", "true".to_owned(), "`false`");
    }
    let betas = config.trained_betas.as_ref().map_or(config.num_train_timesteps, Vec::len);
    if betas < 2 {
        return unsupported("num_train_timesteps", betas.to_string(), "at least 2");
    }
    Ok(())
}
