//! The first half of the UNet: from latents down to the block in the middle. A ControlNet is a copy of it.

use super::blocks::{Block, Middle};
use super::config::UnetConfig;
use super::depth::is_left_out;
use super::time::{Conditions, TimeEmbedding};
use super::transformer::Context;
use crate::error::ModelError;
use crate::weights::tensors::Weights;
use candle_core::{DType, Result, Tensor};
use maquette_kernels::{Conv2d, Padding};

/// The convolution of the latents, the time embedding, the down blocks and the block in the middle.
pub(super) struct DownPath {
    conv_in: Conv2d,
    pub time: TimeEmbedding,
    pub blocks: Vec<Block>,
    pub middle: Option<Middle>,
    dtype: DType,
}

/// What the first half computes.
pub(super) struct Features<'a> {
    /// SiLU of the time embedding, `[B, 1, time_width]`.
    pub time: Tensor,
    /// The text in the UNet's dtype, and the picture.
    pub context: Context<'a>,
    /// The inputs of the up blocks' layers, the last one first used; see [`skip_widths`].
    pub skips: Vec<Tensor>,
    /// The result of the block in the middle, or of the last layer that is computed.
    pub end: Tensor,
}

/// The widths of the skip connections, in order.
pub(super) fn skip_widths(config: &UnetConfig) -> Vec<usize> {
    let last = config.blocks.len() - 1;
    let mut skips = vec![config.blocks[0].width];
    for (i, shape) in config.blocks.iter().enumerate() {
        skips.extend(vec![shape.width; shape.layers + usize::from(i < last)]);
    }
    skips
}

/// The padding that keeps the size.
pub(super) fn around(kernel: usize) -> Padding {
    Padding::Around((kernel - 1) / 2)
}

impl DownPath {
    pub(super) fn load(config: &UnetConfig, weights: &Weights) -> std::result::Result<DownPath, ModelError> {
        let (first, last) = (config.blocks[0].width, config.blocks.len() - 1);
        let mut width = first;
        let mut blocks = Vec::new();
        for (i, shape) in config.blocks.iter().enumerate() {
            let inputs = (0..shape.layers).map(|j| if j == 0 { width } else { shape.width }).collect();
            let resample = (i < last).then_some(Padding::of_downsampler(config.downsample_padding));
            let weights = weights.at(format!("down_blocks.{i}"));
            let block = Block::load(config, shape, &shape.down_depths, inputs, &weights)?;
            blocks.push(block.with_resample("downsamplers", 2, resample, &weights)?);
            width = shape.width;
        }
        let middle = match config.has_middle {
            true => Some(Middle::load(config, &weights.at("mid_block"))?),
            false => None,
        };
        let kernel = config.conv_in_kernel;
        Ok(DownPath {
            conv_in: weights.at("conv_in").conv2d(config.in_channels, first, kernel, 1, around(kernel))?,
            time: TimeEmbedding::load(config, weights)?,
            blocks,
            middle,
            dtype: weights.activation_dtype(),
        })
    }

    /// `hint` is added to the convolved latents, `[B, first width, h, w]`. `last` is the last skip connection that is computed;
    /// `None` for all of them and the block in the middle.
    pub(super) fn forward<'a>(
        &self,
        latents: &Tensor,
        timesteps: &[f32],
        text: &Tensor,
        conditions: &Conditions<'a>,
        hint: Option<&Tensor>,
        last: Option<usize>,
    ) -> Result<Features<'a>> {
        if latents.dims4()?.0 != timesteps.len() || text.dims3()?.0 != timesteps.len() {
            candle_core::bail!(
                "{} timesteps for latents {:?} and text {:?}",
                timesteps.len(),
                latents.shape(),
                text.shape()
            )
        }
        let latents = latents.to_dtype(self.dtype)?;
        let context = Context { text: text.to_dtype(self.dtype)?, image: conditions.image };
        let time = self.time.forward(timesteps, conditions, &latents)?;

        let mut x = self.conv_in.forward(&latents)?;
        if let Some(hint) = hint {
            x = (x + hint)?;
        }
        let mut skips = vec![x.clone()];
        for block in &self.blocks {
            for layer in &block.layers {
                if is_left_out(skips.len(), last) {
                    break;
                }
                x = layer.forward(&x, &time, &context)?;
                skips.push(x.clone());
            }
            if let (Some(conv), false) = (&block.resample, is_left_out(skips.len(), last)) {
                x = conv.forward(&x)?;
                skips.push(x.clone());
            }
        }
        let end = match (&self.middle, last) {
            (Some(middle), None) => middle.forward(&x, &time, &context)?,
            _ => x,
        };
        Ok(Features { time, context, skips, end })
    }
}
