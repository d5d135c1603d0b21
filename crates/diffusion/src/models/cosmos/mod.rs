//! Cosmos-Predict2's transformer over the patches of a picture, which Anima has.
//!
//! Formulas and tensor names are those of diffusers' `CosmosTransformer3DModel`, for one frame. Not here: films, ControlNets,
//! pictures as context.

mod block;
mod config;

pub(crate) use config::{Config, PATCH};

use crate::error::ModelError;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::models::sinusoids::sinusoids;
use crate::models::tokens::{packed, unpacked_from_pixels};
use crate::weights::blocks::Blocks;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use block::{Block, Modulated, Time};
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Kernels, Linear, RmsNorm};

/// `eps` of the norm of the time's sines and cosines.
const TIME_EPS: f64 = 1e-6;

/// The transformer.
pub(crate) struct CosmosTransformer {
    config: Config,
    patch_embed: Linear,
    time: [Linear; 2],
    time_norm: RmsNorm,
    blocks: Blocks<Block>,
    norm_out: Modulated,
    proj_out: Linear,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

impl CosmosTransformer {
    pub fn load(file: &ConfigFile, weights: &Weights) -> std::result::Result<CosmosTransformer, ModelError> {
        let config = Config::read(file)?;
        let (width, patch) = (config.width(), PATCH * PATCH);
        let channels = config.channels + usize::from(config.has_padding_mask);
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        let block = |i: usize| Block::load(&config, &weights.at(format!("transformer_blocks.{i}")));
        Ok(CosmosTransformer {
            patch_embed: linear("patch_embed.proj", channels * patch, width)?,
            time: [
                linear("time_embed.t_embedder.linear_1", width, width)?,
                linear("time_embed.t_embedder.linear_2", width, 3 * width)?,
            ],
            time_norm: weights.at("time_embed.norm").rms_norm(width, TIME_EPS)?,
            blocks: Blocks::load(weights, config.layers, block)?,
            norm_out: Modulated::load(&config, &weights.at("norm_out"), 2)?,
            proj_out: linear("proj_out", width, config.channels * patch)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
            config,
        })
    }

    /// The flow to the noise, in the shape of the latents `[B, channels, height, width]`, height and width multiples of
    /// [`PATCH`]. `times` has one per row, 0 to 1; `text` is `[B, tokens, text_width]`. Fails for pictures with more patches in a
    /// direction than the model has positions.
    pub fn forward(&self, latents: &Tensor, times: &[f32], text: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = latents.dims4()?;
        let (high, wide) = (height / PATCH, width / PATCH);
        let mut x = latents.to_dtype(self.dtype)?;
        if self.config.has_padding_mask {
            // The picture fills all of the latents.
            x = Tensor::cat(&[&x, &x.narrow(1, 0, 1)?.zeros_like()?], 1)?;
        }
        let mut x = self.patch_embed.forward(&packed(&x, PATCH)?)?;
        let text = text.to_dtype(self.dtype)?;
        let (time, rotary) =
            (self.time(times, latents.device())?, self.rotary(high, wide, latents.device())?);
        self.blocks.each(|block| {
            x = block.forward(&x, &text, &time, &rotary)?;
            Ok(())
        })?;
        let (x, _) = self.norm_out.forward(&x, &time)?;
        unpacked_from_pixels(&self.proj_out.forward(&x)?, latents.shape(), PATCH)
    }

    fn time(&self, times: &[f32], device: &Device) -> Result<Time> {
        let waves = sinusoids(times, self.config.width(), device)?.to_dtype(self.dtype)?;
        let [first, second] = &self.time;
        Ok(Time {
            sum: second.forward(&self.kernels.silu(&first.forward(&waves)?)?)?,
            active: self.kernels.silu(&self.time_norm.forward(&waves)?)?,
        })
    }

    /// A picture is the first frame.
    fn rotary(&self, high: usize, wide: usize, device: &Device) -> Result<Rotary> {
        let Config { axes, thetas, positions, .. } = self.config;
        if high.max(wide) > positions {
            candle_core::bail!("the picture has {high} x {wide} patches; the model has {positions} positions")
        }
        let of_token = |at: usize| {
            let position = [0, at / wide, at % wide];
            (0..3).flat_map(|axis| angles(position[axis] as f64, axes[axis], thetas[axis])).collect()
        };
        let all: Vec<Vec<f64>> = (0..high * wide).map(of_token).collect();
        Rotary::new(&all, Pairs::Halves, device)
    }
}

#[cfg(test)]
mod tests;
