//! The time embedding: sines and cosines of the timestep, then two linear layers; in SDXL an embedding of the picture's
//! sizes and the pooled text is added, in latent consistency models one of the guidance scale.
//!
//! diffusers' `get_timestep_embedding`, `TimestepEmbedding`, `get_aug_embed` and `get_guidance_scale_embedding`. The angles are computed in f32 on the
//! host for every dtype: f16 is too coarse for the high frequencies.

use super::config::{AddedShape, SIZES, UnetConfig};
use super::controlnet::Residuals;
use super::ip_adapter::ImagePrompt;
use crate::error::ModelError;
use crate::weights::tensors::Weights;
use candle_core::{Device, Result, Tensor};
use maquette_kernels::{Kernels, Linear};

/// Inputs besides latents, timesteps and text. Pooled text and guidance scales must be given exactly if the UNet has them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// SDXL's: a pooled text embedding `[B, pooled_width]`, and for each row the picture's sizes: the original's height and
    /// width, the crop's top and left, and the target's height and width.
    pub added: Option<(&'a Tensor, &'a [[f32; SIZES]])>,
    /// The guidance scale of each row, for a UNet that [embeds](super::Unet::embeds_guidance) it.
    pub guidance_scales: Option<&'a [f64]>,
    /// What a ControlNet adds to the features of each row, see [`Residuals`].
    pub control: Option<&'a Residuals>,
    /// The pictures that the rows attend to, see [`ImagePrompt`].
    pub image: Option<&'a ImagePrompt<'a>>,
}

pub(super) struct TimeEmbedding {
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    linear_1: Linear,
    linear_2: Linear,
    added: Option<Added>,
    guidance: Option<Guidance>,
    kernels: &'static dyn Kernels,
}

struct Added {
    size_width: usize,
    text_width: usize,
    linear_1: Linear,
    linear_2: Linear,
}

/// The embedding of the guidance scale.
struct Guidance {
    width: usize,
    cond_proj: Linear,
}

impl TimeEmbedding {
    pub(super) fn load(
        config: &UnetConfig,
        weights: &Weights,
    ) -> std::result::Result<TimeEmbedding, ModelError> {
        let time_width = config.time_width;
        let load_added = |shape: &AddedShape| {
            let weights = weights.at("add_embedding");
            Ok(Added {
                size_width: shape.size_width,
                text_width: shape.width - SIZES * shape.size_width,
                linear_1: weights.at("linear_1").linear(shape.width, time_width, true)?,
                linear_2: weights.at("linear_2").linear(time_width, time_width, true)?,
            })
        };
        let added = config.added.as_ref().map(load_added).transpose()?;
        let weights = weights.at("time_embedding");
        let width = config.blocks[0].width;
        let load_guidance = |guidance_width| {
            let cond_proj = weights.at("cond_proj").linear(guidance_width, width, false)?;
            Ok(Guidance { width: guidance_width, cond_proj })
        };
        Ok(TimeEmbedding {
            width,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            linear_1: weights.at("linear_1").linear(width, time_width, true)?,
            linear_2: weights.at("linear_2").linear(time_width, time_width, true)?,
            added,
            guidance: config.guidance_width.map(load_guidance).transpose()?,
            kernels: weights.kernels(),
        })
    }

    /// The width of the pooled text embedding, if there is one.
    pub(super) fn pooled_width(&self) -> Option<usize> {
        self.added.as_ref().map(|added| added.text_width)
    }

    /// Whether the guidance scale is an input.
    pub(super) fn embeds_guidance(&self) -> bool {
        self.guidance.is_some()
    }

    /// SiLU of the embedding, `[B, 1, time_width]`, on the device and in the dtype of `like`.
    ///
    /// Each condition must be given exactly if the UNet needs it, with one row per timestep.
    pub(super) fn forward(
        &self,
        timesteps: &[f32],
        conditions: &Conditions,
        like: &Tensor,
    ) -> Result<Tensor> {
        let angles = self.angles(timesteps.iter().copied(), self.width);
        let mut angles = on_device(angles, timesteps.len(), like)?;
        match (&self.guidance, conditions.guidance_scales) {
            (None, None) => {}
            (Some(guidance), Some(scales)) if scales.len() == timesteps.len() => {
                let rows = scales.iter().flat_map(|&scale| guidance_angles(scale, guidance.width));
                let rows = on_device(rows.collect(), scales.len(), like)?;
                angles = guidance.cond_proj.forward_add(&rows, &angles)?;
            }
            (None, Some(_)) => candle_core::bail!("this UNet has no input for the guidance scale"),
            (Some(_), _) => candle_core::bail!("this UNet needs a guidance scale for every timestep"),
        }
        let hidden = self.kernels.silu(&self.linear_1.forward(&angles)?)?;
        let time = match (&self.added, conditions.added) {
            (None, None) => self.linear_2.forward(&hidden)?,
            (Some(layers), Some((pooled, sizes))) if sizes.len() == timesteps.len() => {
                let rows = sizes.iter().map(|sizes| self.angles(sizes.iter().copied(), layers.size_width));
                let sizes = on_device(rows.flatten().collect(), sizes.len(), like)?;
                let pooled = pooled.to_dtype(like.dtype())?.unsqueeze(1)?;
                let both = Tensor::cat(&[pooled, sizes], 2)?;
                let added = self.kernels.silu(&layers.linear_1.forward(&both)?)?;
                let added = layers.linear_2.forward(&added)?;
                self.linear_2.forward_add(&hidden, &added)?
            }
            (None, Some(_)) => candle_core::bail!("this UNet has no input for pooled text"),
            (Some(_), _) => candle_core::bail!("this UNet needs pooled text and sizes for every timestep"),
        };
        self.kernels.silu(&time)
    }

    /// The embeddings of the values, concatenated.
    fn angles(&self, values: impl Iterator<Item = f32>, width: usize) -> Vec<f32> {
        let half = width / 2;
        let scale = (half as f64 - self.freq_shift) as f32;
        let angle = |value: f32, i: usize| value * (-(10000f64.ln() as f32) * i as f32 / scale).exp();
        values
            .flat_map(|value| {
                let (sin, cos) =
                    (0..half).map(|i| angle(value, i).sin_cos()).unzip::<f32, f32, Vec<_>, Vec<_>>();
                let [first, last] = if self.flip_sin_to_cos { [cos, sin] } else { [sin, cos] };
                first.into_iter().chain(last)
            })
            .collect()
    }
}

/// The embedding of a guidance scale, whose zero is at 1: sines, cosines, and a 0 if the width is odd.
///
/// Source: `get_guidance_scale_embedding` of diffusers' `StableDiffusionPipeline`, in f32 as there.
fn guidance_angles(scale: f64, width: usize) -> Vec<f32> {
    let half = width / 2;
    let step = 10000f32.ln() / (half as f32 - 1.0);
    let angle = |i: usize| (scale - 1.0) as f32 * 1000.0 * (i as f32 * -step).exp();
    let (sin, cos) = (0..half).map(|i| angle(i).sin_cos()).unzip::<f32, f32, Vec<_>, Vec<_>>();
    let padding = vec![0.0; width % 2];
    [sin, cos, padding].concat()
}

/// `[rows, 1, ...]` like another tensor.
fn on_device(values: Vec<f32>, rows: usize, like: &Tensor) -> Result<Tensor> {
    let width = values.len() / rows.max(1);
    Tensor::from_vec(values, (rows, 1, width), &Device::Cpu)?.to_device(like.device())?.to_dtype(like.dtype())
}
