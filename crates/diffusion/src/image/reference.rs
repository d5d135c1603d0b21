//! The reference picture on its way to latents: at its place in the target, and as the VAE sees it.
//!
//! Reading and resizing are `init_image.rs`; drawing from the posterior is a flight's, which has the noise.

use crate::image::init_image;
use crate::image::init_image::{InitImageError, Margin};
use crate::image::pixels;
use crate::models::vae::Vae;
use crate::sampler::error::RenderError;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Fit, Settings};
use std::path::Path;

/// How a picture meets the target, and the target's size in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub fit: Fit,
    pub width: u32,
    pub height: u32,
}

/// A picture as the VAE sees it: the distribution of its latents, `[1, channels, height, width]`, f32.
#[derive(Clone)]
pub(crate) struct Posterior {
    pub mean: Tensor,
    pub logvar: Tensor,
}

impl Place {
    pub fn of(settings: &Settings) -> Place {
        Place { fit: settings.fit.unwrap_or(Fit::Crop), width: settings.width, height: settings.height }
    }
}

/// A picture's pixels at its place, `[1, 3, height, width]` in -1 to 1.
pub(crate) fn pixels(
    file: &Path,
    place: Place,
    dtype: DType,
    device: &Device,
) -> std::result::Result<Tensor, RenderError> {
    let picture = maquette_picture::decode(file).map_err(InitImageError::from)?;
    let picture = init_image::fit(&picture, place.fit, Margin::Mean, place.width, place.height)?;
    Ok(pixels::from_image(&picture, dtype, device)?)
}

impl Posterior {
    /// The posterior of pixels `[1, 3, height, width]`.
    pub fn of(vae: &Vae, pixels: &Tensor) -> Result<Posterior> {
        let (mean, logvar) = vae.encode(pixels)?;
        Ok(Posterior { mean: mean.to_dtype(DType::F32)?, logvar: logvar.to_dtype(DType::F32)? })
    }

    /// The latents that a standard normal draw stands for.
    pub fn latents(&self, drawn: &Tensor, scaling_factor: f64) -> Result<Tensor> {
        (&self.mean + ((&self.logvar * 0.5)?.exp()? * drawn)?)? * scaling_factor
    }
}
