//! The autoencoder: pixels to latents and back. A model has one of two kinds: a variational one (`kl.rs`) or a small one
//! for quick drafts (`tiny.rs`).
//!
//! Not here: drawing from the posterior and scaling latents (`image/posterior.rs`).

mod kl;
#[cfg_attr(not(test), expect(dead_code, reason = "the family that has it is not here yet"))]
pub(crate) mod qwen_image;
mod tiny;

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{DType, Result, Tensor};
use kl::Kl;
use serde_json::json;
use tiny::Tiny;

type Loaded<T> = std::result::Result<T, ModelError>;

/// The autoencoder of a model: diffusers' `AutoencoderKL` or `AutoencoderTiny`.
pub struct Vae {
    coder: Coder,
    /// Latents are the encoder's output times this.
    pub scaling_factor: f64,
    /// What is subtracted from the output before.
    pub shift_factor: f64,
    /// The channels of latents.
    pub latent_channels: usize,
    /// The means and the standard deviations of patches of latents, `[1, channels, 1, 1]` each, f32, if the autoencoder has
    /// them (diffusers' `AutoencoderKLFlux2`).
    pub(crate) statistics: Option<[Tensor; 2]>,
    factor: usize,
    dtype: DType,
}

enum Coder {
    Kl(Box<Kl>),
    Tiny(Tiny),
}

impl Vae {
    pub(crate) fn load(config: &ConfigFile, weights: &Weights) -> Loaded<Vae> {
        let Shape { scaling_factor, shift_factor, latent_channels, factor } = Shape::read(config)?;
        let coder = match is_tiny(config) {
            true => Coder::Tiny(Tiny::load(config, weights)?),
            false => Coder::Kl(Box::new(Kl::load(config, weights)?)),
        };
        let dtype = weights.activation_dtype();
        let statistics =
            if is_flux2(config) { Some(statistics(config, weights, latent_channels)?) } else { None };
        Ok(Vae { coder, statistics, scaling_factor, shift_factor, latent_channels, factor, dtype })
    }

    /// Pixels per latent pixel, in each direction.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// Whether latents are drawn from a posterior; otherwise they are its mean.
    pub fn is_variational(&self) -> bool {
        matches!(self.coder, Coder::Kl(_))
    }

    /// Mean and log-variance of the posterior, each `[B, latent_channels, H / factor, W / factor]`. A tiny autoencoder has
    /// no log-variance: its latents are the mean.
    ///
    /// `pixels` is `[B, 3, H, W]` in -1..1, H and W multiples of the factor. The log-variance is clamped to -30..20.
    pub fn encode(&self, pixels: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        let pixels = pixels.to_dtype(self.dtype)?;
        match &self.coder {
            Coder::Kl(kl) => kl.encode(&pixels).map(|(mean, logvar)| (mean, Some(logvar))),
            Coder::Tiny(tiny) => Ok((tiny.encode(&pixels)?, None)),
        }
    }

    /// Pixels `[B, 3, h * factor, w * factor]`, about -1..1, not clamped.
    ///
    /// `latents` is `[B, latent_channels, h, w]`, already divided by the scaling factor.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let latents = latents.to_dtype(self.dtype)?;
        match &self.coder {
            Coder::Kl(kl) => kl.decode(&latents),
            Coder::Tiny(tiny) => tiny.decode(&latents),
        }
    }
}

/// The properties of an autoencoder that its configuration tells without its weights.
pub(crate) struct Shape {
    /// Latents are the encoder's output times this.
    pub scaling_factor: f64,
    /// What is subtracted from the output before.
    pub shift_factor: f64,
    /// The channels of latents.
    pub latent_channels: usize,
    /// Pixels per latent pixel, in each direction.
    pub factor: usize,
}

impl Shape {
    /// Reads and checks a configuration.
    pub(crate) fn read(config: &ConfigFile) -> Loaded<Shape> {
        for (key, allowed) in [
            ("_class_name", json!(["AutoencoderKL", "AutoencoderKLFlux2", "AutoencoderTiny"])),
            ("in_channels", json!([3])),
            ("out_channels", json!([3])),
        ] {
            config.only(key, allowed.as_array().map_or(&[], Vec::as_slice))?;
        }
        for key in ["latents_mean", "latents_std"] {
            config.only(key, &[])?;
        }
        let (levels, scaling_factor) = match is_tiny(config) {
            true => (tiny::levels(config)?, 1.0),
            false => (kl::levels(config)?, 0.18215),
        };
        let scaling_factor = config.number("scaling_factor", scaling_factor)?;
        if scaling_factor <= 0.0 {
            return Err(config.refuse("scaling_factor", "a number above 0"));
        }
        let shift_factor =
            config.get("shift_factor").map_or(Ok(0.0), |_| config.number("shift_factor", 0.0))?;
        let latent_channels = config.count("latent_channels", Some(4))?;
        // Every block of the encoder except one halves the size.
        Ok(Shape { scaling_factor, shift_factor, latent_channels, factor: 1 << (levels - 1) })
    }
}

/// Whether a configuration is that of FLUX.2's autoencoder.
fn is_flux2(config: &ConfigFile) -> bool {
    config.get("_class_name").and_then(|class| class.as_str()) == Some("AutoencoderKLFlux2")
}

/// The statistics of patches of 2 x 2 latents: those of a batch norm, which is not a part of encoder or decoder.
fn statistics(config: &ConfigFile, weights: &Weights, latent_channels: usize) -> Loaded<[Tensor; 2]> {
    config.only("patch_size", &[json!(2)])?;
    let channels = 4 * latent_channels;
    let eps = config.number("batch_norm_eps", 1e-4)?;
    let read = |name: &str| weights.tensor(&format!("bn.{name}"), &[channels]);
    let (mean, variance) = (read("running_mean")?, read("running_var")?);
    let place = |x: Tensor| x.to_dtype(DType::F32)?.reshape((1, channels, 1, 1));
    let both = place(mean).and_then(|mean| Ok([mean, (place(variance)? + eps)?.sqrt()?]));
    both.map_err(|error| weights.device_error(error))
}

/// Whether a configuration is that of a tiny autoencoder.
fn is_tiny(config: &ConfigFile) -> bool {
    config.get("_class_name").and_then(|class| class.as_str()) == Some("AutoencoderTiny")
}

/// Whether an autoencoder overflows in f16, so that diffusers' pipeline for SDXL computes it in f32.
pub(crate) fn needs_f32(config: &ConfigFile) -> Loaded<bool> {
    Ok(!is_tiny(config) && config.flag("force_upcast", true)?)
}
