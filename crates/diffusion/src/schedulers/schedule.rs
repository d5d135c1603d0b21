//! The noise schedule of the training: how much of the picture remains at each timestep.

use super::{BetaSchedule, Level, SchedulerConfig};
use maquette_core::Scheduler;

/// `alphas_cumprod` of the training.
pub(super) struct Schedule {
    alphas_cumprod: Vec<f32>,
}

impl Schedule {
    /// Computed as torch computes it (betas and alphas in f32, the running product in f64 and stored in f32), because
    /// the last bits matter to the pictures. Source: `__init__` of diffusers' schedulers.
    pub fn new(config: &SchedulerConfig, scheduler: Scheduler) -> Schedule {
        let mut betas: Vec<f32> = match &config.trained_betas {
            Some(betas) => betas.iter().map(|&beta| beta as f32).collect(),
            None => {
                let (start, end, between) = config.betas(scheduler);
                let count = config.num_train_timesteps;
                match between {
                    BetaSchedule::Linear => linspace(start as f32, end as f32, count),
                    BetaSchedule::SquaredCosine => squared_cosine(count),
                    BetaSchedule::ScaledLinear => {
                        let roots = linspace(start.sqrt() as f32, end.sqrt() as f32, count);
                        roots.into_iter().map(|root| root * root).collect()
                    }
                }
            }
        };
        let rescaled = config.rescale_betas_zero_snr == Some(true) && scheduler.has_zero_snr();
        if rescaled {
            betas = rescale_zero_terminal_snr(&betas);
        }
        let mut alphas_cumprod = products(&betas);
        // For schedulers with sigmas they must be finite.
        let has_sigmas = scheduler.has_sigmas() || scheduler == Scheduler::EulerA;
        if let (true, true, Some(last)) = (rescaled, has_sigmas, alphas_cumprod.last_mut()) {
            *last = 2.0_f32.powi(-24);
        }
        Schedule { alphas_cumprod }
    }

    /// Timesteps of the training.
    pub fn len(&self) -> usize {
        self.alphas_cumprod.len()
    }

    /// `alphas_cumprod[timestep]`; `None` outside the training.
    pub fn alpha(&self, timestep: i64) -> Option<f64> {
        self.alphas_cumprod.get(usize::try_from(timestep).ok()?).map(|&alpha| f64::from(alpha))
    }

    /// The alpha after the last step: 1, or that of the first timestep if `set_alpha_to_one` is false.
    pub fn final_alpha(&self, set_alpha_to_one: bool) -> f64 {
        if set_alpha_to_one { 1.0 } else { f64::from(self.alphas_cumprod[0]) }
    }

    /// `sqrt((1 - alpha) / alpha)` of a timestep of the training, in f32 as in diffusers; beyond it, that of the last one.
    pub fn sigma(&self, timestep: usize) -> f32 {
        let alpha = self.alphas_cumprod[timestep.min(self.len() - 1)];
        ((1.0 - alpha) / alpha).sqrt()
    }

    /// The sigma of a fractional timestep, interpolated linearly between its neighbours.
    pub fn sigma_between(&self, timestep: f64) -> f64 {
        let timestep = timestep.clamp(0.0, (self.len() - 1) as f64);
        let below = timestep.floor() as usize;
        let (low, high) = (f64::from(self.sigma(below)), f64::from(self.sigma(below + 1)));
        low + (high - low) * timestep.fract()
    }
}

impl SchedulerConfig {
    /// `alphas_cumprod` of the training, by timestep: the share of the picture in the variance of the noised latents. With
    /// [`SchedulerConfig::rescale_betas_zero_snr`] the last one is 0.
    ///
    /// Source: diffusers' `DDPMScheduler`, which adds the noise in its training scripts.
    pub fn alphas_cumprod(&self) -> Vec<f32> {
        Schedule::new(self, Scheduler::Ddpm).alphas_cumprod
    }
}

/// The level of the variance-preserving form at an alpha of the schedule.
pub(super) fn level(alpha: f64) -> Level {
    Level { image: alpha.sqrt(), noise: (1.0 - alpha).sqrt() }
}

/// The initial level of text-to-image in the variance-preserving form.
pub(super) const PURE_NOISE: Level = Level { image: 0.0, noise: 1.0 };

/// `betas_for_alpha_bar` of diffusers: computed in f64, stored in f32.
fn squared_cosine(count: usize) -> Vec<f32> {
    let alpha_bar = |time: f64| ((time + 0.008) / 1.008 * std::f64::consts::PI / 2.0).cos().powi(2);
    (0..count)
        .map(|i| 1.0 - alpha_bar((i + 1) as f64 / count as f64) / alpha_bar(i as f64 / count as f64))
        .map(|beta| beta.min(0.999) as f32)
        .collect()
}

/// The running product of `1 - beta`.
fn products(betas: &[f32]) -> Vec<f32> {
    betas
        .iter()
        .scan(1.0_f64, |product, beta| {
            *product *= f64::from(1.0 - beta);
            Some(*product as f32)
        })
        .collect()
}

/// Betas whose last product is 0: pure noise (Lin et al., arXiv 2305.08891, algorithm 1), in f32 as in diffusers.
fn rescale_zero_terminal_snr(betas: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = products(betas).into_iter().map(f32::sqrt).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let scale = first / (first - last);
    let alphas: Vec<f32> = roots.iter().map(|root| (root - last) * scale).map(|root| root * root).collect();
    let before = std::iter::once(1.0).chain(alphas.iter().copied());
    alphas.iter().zip(before).map(|(alpha, before)| 1.0 - alpha / before).collect()
}

/// `torch.linspace` in f32: the first half counts up from the start, the second down from the end.
fn linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    let step = (end - start) / (count - 1) as f32;
    (0..count)
        .map(|i| if i < count / 2 { start + step * i as f32 } else { end - step * (count - i - 1) as f32 })
        .collect()
}
