//! The UNet that predicts noise: diffusers' `UNet2DConditionModel`, as used by Stable Diffusion 1, 2 and XL.
//!
//! Every row of a batch has its own timestep and text, and does not affect other rows. Not here: class labels, added
//! embeddings other than SDXL's and that of the guidance scale, classifier-free guidance, schedulers.

mod blocks;
mod config;
pub(crate) mod controlnet;
pub(crate) mod depth;
mod depths;
mod down;
pub(crate) mod ip_adapter;
#[cfg(test)]
mod ip_adapter_tests;
pub(crate) mod residuals;
mod time;
mod transformer;
pub(crate) mod widths;

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use blocks::Block;
use candle_core::{Result, Tensor};
use config::UnetConfig;
pub(crate) use config::{check, embeds_guidance, in_channels, sample_size};
use depth::Depth;
use down::{DownPath, Features, around, skip_widths};
use maquette_kernels::{Activation, Conv2d, GroupNorm, Kernels, Padding};
pub use time::Conditions;
use widths::UnetWidths;

/// The UNet of a model.
pub struct Unet {
    down: DownPath,
    up: Vec<Block>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    kernels: &'static dyn Kernels,
    /// With which other networks must agree.
    pub(crate) widths: UnetWidths,
    /// Input channels: those of latents, and for inpainting those of the additional input.
    pub in_channels: usize,
    /// Channels of its prediction.
    pub out_channels: usize,
    /// The width of a text embedding.
    pub text_width: usize,
    /// The size of the latents that it was trained on, in latent pixels.
    pub sample_size: usize,
}

impl Unet {
    pub(crate) fn load(config: &ConfigFile, weights: &Weights) -> std::result::Result<Unet, ModelError> {
        let config = UnetConfig::read(config)?;
        let first = config.blocks[0].width;
        let last = config.blocks.len() - 1;
        let mut down = DownPath::load(&config, weights)?;
        let mut skips = skip_widths(&config);
        let mut width = config.blocks[last].width;

        let mut up = Vec::new();
        for (i, shape) in config.blocks.iter().rev().enumerate() {
            let mut inputs = Vec::new();
            for _ in 0..=shape.layers {
                inputs.push(width + skips.pop().unwrap_or_default());
                width = shape.width;
            }
            let resample = (i < last).then_some(Padding::Around(1));
            let block =
                Block::load(&config, shape, &shape.up_depths, inputs, &weights.at(format!("up_blocks.{i}")))?;
            up.push(block.with_resample("upsamplers", 1, resample, &weights.at(format!("up_blocks.{i}")))?);
        }

        // In the order of diffusers' attention processors.
        let mut cross = Vec::new();
        down.blocks.iter_mut().chain(&mut up).for_each(|block| block.number(&mut cross));
        if let Some(middle) = &mut down.middle {
            middle.number(config.blocks[last].width, &mut cross);
        }

        let (text, pooled) = (config.text_width, down.time.pooled_width());
        let widths = UnetWidths { text, pooled, skips: skip_widths(&config), cross };
        let kernel = config.conv_out_kernel;
        Ok(Unet {
            down,
            up,
            norm_out: weights.at("conv_norm_out").group_norm(first, config.groups, config.eps)?,
            conv_out: weights.at("conv_out").conv2d(first, config.out_channels, kernel, 1, around(kernel))?,
            kernels: weights.kernels(),
            widths,
            in_channels: config.in_channels,
            out_channels: config.out_channels,
            text_width: config.text_width,
            sample_size: config.sample_size,
        })
    }

    /// The width of the pooled text embedding; `None` for Stable Diffusion 1 and 2, which have none.
    pub fn pooled_width(&self) -> Option<usize> {
        self.down.time.pooled_width()
    }

    /// Whether it takes the guidance scale as an input, as latent consistency models do.
    pub fn embeds_guidance(&self) -> bool {
        self.down.time.embeds_guidance()
    }

    /// Predicted noise (or velocity) `[B, C, h, w]` for a batch of rows.
    ///
    /// `latents` is `[B, C, h, w]` of any size, `timesteps` one per row, possibly fractional, `text`
    /// `[B, 77, text_width]`. On the CPU a row's result does not depend on the other rows, to the bit.
    pub fn forward(&self, latents: &Tensor, timesteps: &[f32], text: &Tensor) -> Result<Tensor> {
        self.forward_with(latents, timesteps, text, &Conditions::default())
    }

    /// The same with the inputs that only some models have.
    pub fn forward_with(
        &self,
        latents: &Tensor,
        timesteps: &[f32],
        text: &Tensor,
        conditions: &Conditions,
    ) -> Result<Tensor> {
        Ok(self.forward_to_depth(latents, timesteps, text, conditions, Depth::Whole)?.0)
    }

    /// The number of skip connections, which are the branches of [`Depth`].
    pub(crate) fn branches(&self) -> usize {
        self.widths.skips.len()
    }

    /// The same as `forward_with`, with the features of a branch kept or reused; they are returned if they are kept. The
    /// branch must be below [`Unet::branches`].
    pub(crate) fn forward_to_depth(
        &self,
        latents: &Tensor,
        timesteps: &[f32],
        text: &Tensor,
        conditions: &Conditions,
        depth: Depth,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let Features { time, context, mut skips, end: mut x } =
            self.down.forward(latents, timesteps, text, conditions, None, depth.last())?;
        if let Some(residuals) = conditions.control {
            skips = residuals.add_to(&skips)?;
            if let Some(middle) = &residuals.middle {
                x = (x + middle)?;
            }
        }

        let (mut branch, mut kept) = (self.branches(), None);
        for block in &self.up {
            for layer in &block.layers {
                branch -= 1;
                if depth.leaves_out(branch) {
                    continue;
                }
                if depth.keeps(branch) {
                    kept = Some(x.clone());
                }
                if let Some(features) = depth.reused(branch) {
                    x = features.clone();
                }
                // One was pushed for each that is popped; `load` popped the same widths.
                if let Some(skip) = skips.pop() {
                    x = layer.forward(&self.kernels.concat(&x, &skip)?, &time, &context)?;
                }
            }
            if let (Some(conv), Some(skip), false) = (&block.resample, skips.last(), depth.leaves_out(branch))
            {
                // To the size of the next skip connection: twice the size, or one less where halving rounded up.
                let (_, _, h, w) = skip.dims4()?;
                x = conv.forward(&self.kernels.upsample_nearest(&x, h, w)?)?;
            }
        }
        x = self.norm_out.forward(&x, Activation::Silu)?;
        Ok((self.conv_out.forward(&x)?, kept))
    }
}
