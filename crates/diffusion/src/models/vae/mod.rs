//! The autoencoder: pixels to latents and back. A model has one of three kinds: a variational one (`kl.rs`), that of Qwen-Image
//! and Anima (`qwen_image.rs`), or a small one for quick drafts (`tiny.rs`).
//!
//! Not here: drawing from the posterior and scaling latents (`image/posterior.rs`).

mod kl;
mod qwen_image;
mod tiny;

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{DType, Result, Tensor};
use kl::Kl;
use qwen_image::QwenImage;
use serde_json::json;
use tiny::Tiny;

type Loaded<T> = std::result::Result<T, ModelError>;

/// The autoencoder of a model: diffusers' `AutoencoderKL`, `AutoencoderKLQwenImage` or `AutoencoderTiny`.
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
    QwenImage(Box<QwenImage>),
    Tiny(Tiny),
}

impl Vae {
    pub(crate) fn load(config: &ConfigFile, weights: &Weights) -> Loaded<Vae> {
        let Shape { scaling_factor, shift_factor, latent_channels, factor } = Shape::read(config)?;
        let coder = match class(config) {
            TINY => Coder::Tiny(Tiny::load(config, weights)?),
            QWEN_IMAGE => Coder::QwenImage(Box::new(QwenImage::load(config, weights)?)),
            _ => Coder::Kl(Box::new(Kl::load(config, weights)?)),
        };
        let dtype = weights.activation_dtype();
        let statistics = match class(config) {
            FLUX2 => Some(statistics(config, weights, latent_channels)?),
            _ => None,
        };
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

    /// Whether its file may have an unused tensor of that name: one that only films need.
    pub(crate) fn is_spare(&self, key: &str) -> bool {
        matches!(self.coder, Coder::QwenImage(_)) && qwen_image::is_spare(key)
    }

    /// Mean and log-variance of the posterior, each `[B, latent_channels, H / factor, W / factor]`. A tiny autoencoder has
    /// no log-variance: its latents are the mean. Those of Qwen-Image's are normalised by channel.
    ///
    /// `pixels` is `[B, 3, H, W]` in -1..1, H and W multiples of the factor. The log-variance is clamped to -30..20.
    pub fn encode(&self, pixels: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        let pixels = pixels.to_dtype(self.dtype)?;
        match &self.coder {
            Coder::Kl(kl) => kl.encode(&pixels).map(|(mean, logvar)| (mean, Some(logvar))),
            Coder::QwenImage(coder) => coder.encode(&pixels).map(|(mean, logvar)| (mean, Some(logvar))),
            Coder::Tiny(tiny) => Ok((tiny.encode(&pixels)?, None)),
        }
    }

    /// Pixels `[B, 3, h * factor, w * factor]`, about -1..1, not clamped.
    ///
    /// `latents` is `[B, latent_channels, h, w]`, already divided by the scaling factor.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        match &self.coder {
            Coder::Kl(kl) => kl.decode(&latents.to_dtype(self.dtype)?),
            Coder::QwenImage(coder) => coder.decode(latents),
            Coder::Tiny(tiny) => tiny.decode(&latents.to_dtype(self.dtype)?),
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
        if class(config) == QWEN_IMAGE {
            let (latent_channels, factor) = qwen_image::size(config)?;
            return Ok(Shape { scaling_factor: 1.0, shift_factor: 0.0, latent_channels, factor });
        }
        for (key, allowed) in [
            ("_class_name", json!([KL, FLUX2, QWEN_IMAGE, TINY])),
            ("in_channels", json!([3])),
            ("out_channels", json!([3])),
        ] {
            config.only(key, allowed.as_array().map_or(&[], Vec::as_slice))?;
        }
        for key in ["latents_mean", "latents_std"] {
            config.only(key, &[])?;
        }
        let (levels, scaling_factor) = match class(config) == TINY {
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

/// diffusers' classes.
pub(crate) const KL: &str = "AutoencoderKL";
pub(crate) const FLUX2: &str = "AutoencoderKLFlux2";
pub(crate) const QWEN_IMAGE: &str = "AutoencoderKLQwenImage";
pub(crate) const TINY: &str = "AutoencoderTiny";

/// The class of an autoencoder.
pub(crate) fn class(config: &ConfigFile) -> &str {
    config.get("_class_name").and_then(|class| class.as_str()).unwrap_or(KL)
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

/// Whether an autoencoder overflows in f16, so that diffusers' pipeline for SDXL computes it in f32.
pub(crate) fn needs_f32(config: &ConfigFile) -> Loaded<bool> {
    Ok(class(config) != TINY && config.flag("force_upcast", true)?)
}
