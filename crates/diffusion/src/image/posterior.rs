//! A picture encoded by an autoencoder: a distribution of latents, or the latents themselves.

use candle_core::{Result, Tensor};

/// Normal distributions, one for each value of the latents, `[1, channels, height, width]`, f32.
#[derive(Clone)]
pub(crate) struct Posterior {
    pub mean: Tensor,
    /// `None` if the latents are the mean: then no noise is drawn for them.
    pub logvar: Option<Tensor>,
    /// The factor of the latents (the autoencoder's `scaling_factor`).
    pub scaling_factor: f64,
    /// What is subtracted from them before (the autoencoder's `shift_factor`).
    pub shift_factor: f64,
}

impl Posterior {
    /// The latents for a standard normal draw of their shape, which `draw` makes if they are distributed.
    pub fn latents(&self, draw: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let latents = match &self.logvar {
            Some(logvar) => (&self.mean + ((logvar * 0.5)?.exp()? * draw()?)?)?,
            None => self.mean.clone(),
        };
        let latents = if self.shift_factor == 0.0 { latents } else { (latents - self.shift_factor)? };
        latents * self.scaling_factor
    }
}
