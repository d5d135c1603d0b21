//! The time embedding: sines and cosines of the timestep, then two linear layers; in SDXL an embedding of the picture's
//! sizes and the pooled text is added.
//!
//! diffusers' `get_timestep_embedding`, `TimestepEmbedding` and `get_aug_embed`. The angles are computed in f32 on the
//! host for every dtype: f16 is too coarse for the high frequencies.

use super::config::{AddedShape, SIZES, UnetConfig};
use crate::error::ModelError;
use crate::weights::tensors::Weights;
use candle_core::{Device, Result, Tensor};
use maquette_kernels::{Kernels, Linear};

pub(super) struct TimeEmbedding {
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    linear_1: Linear,
    linear_2: Linear,
    added: Option<Added>,
    kernels: &'static dyn Kernels,
}

struct Added {
    size_width: usize,
    text_width: usize,
    linear_1: Linear,
    linear_2: Linear,
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
        Ok(TimeEmbedding {
            width,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            linear_1: weights.at("linear_1").linear(width, time_width, true)?,
            linear_2: weights.at("linear_2").linear(time_width, time_width, true)?,
            added,
            kernels: weights.kernels(),
        })
    }

    /// The width of the pooled text embedding, if there is one.
    pub(super) fn pooled_width(&self) -> Option<usize> {
        self.added.as_ref().map(|added| added.text_width)
    }

    /// SiLU of the embedding, `[B, 1, time_width]`, on the device and in the dtype of `like`.
    ///
    /// `added` must be given exactly if the UNet needs it, with one row per timestep.
    pub(super) fn forward(
        &self,
        timesteps: &[f32],
        added: Option<(&Tensor, &[[f32; SIZES]])>,
        like: &Tensor,
    ) -> Result<Tensor> {
        let angles = self.angles(timesteps.iter().copied(), self.width);
        let angles = on_device(angles, timesteps.len(), like)?;
        let hidden = self.kernels.silu(&self.linear_1.forward(&angles)?)?;
        let time = match (&self.added, added) {
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

/// `[rows, 1, ...]` like another tensor.
fn on_device(values: Vec<f32>, rows: usize, like: &Tensor) -> Result<Tensor> {
    let width = values.len() / rows.max(1);
    Tensor::from_vec(values, (rows, 1, width), &Device::Cpu)?.to_device(like.device())?.to_dtype(like.dtype())
}
