//! A picture encoded by an autoencoder: a distribution of latents.

use candle_core::{Result, Tensor};

/// Normal distributions, one for each value of the latents, `[1, channels, height, width]`, f32.
#[derive(Clone)]
pub(crate) struct Posterior {
    pub mean: Tensor,
    pub logvar: Tensor,
    /// The factor of a draw (the autoencoder's `scaling_factor`).
    pub scaling_factor: f64,
}

impl Posterior {
    /// The latents for a standard normal draw.
    pub fn latents(&self, drawn: &Tensor) -> Result<Tensor> {
        (&self.mean + ((&self.logvar * 0.5)?.exp()? * drawn)?)? * self.scaling_factor
    }
}
