//! A picture as an autoencoder sees it: a distribution of latents.

use candle_core::{Result, Tensor};

/// Normal distributions, one for each number of the latents, `[1, channels, height, width]`, f32.
#[derive(Clone)]
pub(crate) struct Posterior {
    pub mean: Tensor,
    pub logvar: Tensor,
    /// What a draw is multiplied by (`scaling_factor` of the autoencoder).
    pub scaling_factor: f64,
}

impl Posterior {
    /// The latents that a standard normal draw stands for.
    pub fn latents(&self, drawn: &Tensor) -> Result<Tensor> {
        (&self.mean + ((&self.logvar * 0.5)?.exp()? * drawn)?)? * self.scaling_factor
    }
}
