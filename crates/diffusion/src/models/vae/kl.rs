//! The variational autoencoder: a distribution of latents for pixels, and back.
//!
//! Formulas and tensor names are those of diffusers' `AutoencoderKL`.

use crate::error::ModelError;
use crate::models::resnet::Resnet;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Activation, Conv2d, GroupNorm, Kernels, Linear, Mask, Padding};
use serde_json::json;

type Loaded<T> = std::result::Result<T, ModelError>;

/// `norm_eps` of every norm in the autoencoder (diffusers, `autoencoders/vae.py`).
const EPS: f64 = 1e-6;

pub(super) struct Kl {
    encoder: Encoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    decoder: Decoder,
    latent_channels: usize,
    kernels: &'static dyn Kernels,
}

struct Encoder {
    conv_in: Conv2d,
    blocks: Vec<Block>,
    middle: Middle,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

struct Decoder {
    conv_in: Conv2d,
    middle: Middle,
    blocks: Vec<Block>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// Residual blocks, then a convolution that halves the size, or one after upsampling.
struct Block {
    resnets: Vec<Resnet>,
    resample: Option<Conv2d>,
}

struct Middle {
    resnets: [Resnet; 2],
    attention: Option<Attention>,
}

/// Single-head attention over all positions.
struct Attention {
    norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    kernels: &'static dyn Kernels,
}

/// The shape of encoder and decoder.
struct Shape {
    widths: Vec<usize>,
    layers: usize,
    groups: usize,
    attention: bool,
    latent_channels: usize,
}

/// How many levels it has, of different sizes. Refuses unsupported configurations.
pub(super) fn levels(config: &ConfigFile) -> Loaded<usize> {
    Shape::read(config).map(|shape| shape.widths.len())
}

impl Shape {
    fn read(config: &ConfigFile) -> Loaded<Shape> {
        config.only("act_fn", &[json!("silu")])?;
        let widths = config.widths("block_out_channels")?;
        config.kinds("down_block_types", &["DownEncoderBlock2D"], widths.len())?;
        config.kinds("up_block_types", &["UpDecoderBlock2D"], widths.len())?;
        let groups = config.count("norm_num_groups", Some(32))?;
        if widths.iter().any(|width| !width.is_multiple_of(groups)) {
            return Err(config.refuse("norm_num_groups", format!("a divisor of every width in {widths:?}")));
        }
        Ok(Shape {
            layers: config.count("layers_per_block", Some(1))?,
            groups,
            attention: config.flag("mid_block_add_attention", true)?,
            latent_channels: config.count("latent_channels", Some(4))?,
            widths,
        })
    }
}

impl Kl {
    pub(super) fn load(config: &ConfigFile, weights: &Weights) -> Loaded<Kl> {
        let shape = Shape::read(config)?;
        let latent_channels = shape.latent_channels;
        let point = |key: &str, name: &str, channels: usize| -> Loaded<Option<Conv2d>> {
            if !config.flag(key, true)? {
                return Ok(None);
            }
            weights.at(name).conv2d(channels, channels, 1, 1, Padding::Around(0)).map(Some)
        };
        Ok(Kl {
            encoder: Encoder::load(&shape, &weights.at("encoder"))?,
            quant_conv: point("use_quant_conv", "quant_conv", 2 * latent_channels)?,
            post_quant_conv: point("use_post_quant_conv", "post_quant_conv", latent_channels)?,
            decoder: Decoder::load(&shape, &weights.at("decoder"))?,
            latent_channels,
            kernels: weights.kernels(),
        })
    }

    /// Mean and log-variance of the posterior of pixels `[B, 3, H, W]` in -1..1. The log-variance is clamped to -30..20.
    pub(super) fn encode(&self, pixels: &Tensor) -> Result<(Tensor, Tensor)> {
        let encoder = &self.encoder;
        let mut x = encoder.conv_in.forward(pixels)?;
        for block in &encoder.blocks {
            for resnet in &block.resnets {
                x = resnet.forward(&x, None)?;
            }
            if let Some(conv) = &block.resample {
                x = conv.forward(&x)?;
            }
        }
        x = encoder.middle.forward(&x)?;
        x = encoder.norm_out.forward(&x, Activation::Silu)?;
        x = encoder.conv_out.forward(&x)?;
        if let Some(conv) = &self.quant_conv {
            x = conv.forward(&x)?;
        }
        let mean = x.narrow(1, 0, self.latent_channels)?.contiguous()?;
        let logvar = x.narrow(1, self.latent_channels, self.latent_channels)?.clamp(-30f32, 20f32)?;
        Ok((mean, logvar))
    }

    /// Pixels, about -1..1, of latents `[B, channels, h, w]`.
    pub(super) fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let decoder = &self.decoder;
        let mut x = match &self.post_quant_conv {
            Some(conv) => decoder.conv_in.forward(&conv.forward(latents)?)?,
            None => decoder.conv_in.forward(latents)?,
        };
        x = decoder.middle.forward(&x)?;
        for block in &decoder.blocks {
            for resnet in &block.resnets {
                x = resnet.forward(&x, None)?;
            }
            if let Some(conv) = &block.resample {
                let (_, _, h, w) = x.dims4()?;
                x = conv.forward(&self.kernels.upsample_nearest(&x, 2 * h, 2 * w)?)?;
            }
        }
        x = decoder.norm_out.forward(&x, Activation::Silu)?;
        decoder.conv_out.forward(&x)
    }
}

impl Encoder {
    fn load(shape: &Shape, weights: &Weights) -> Loaded<Encoder> {
        let widths = &shape.widths;
        let block = |i: usize| {
            let weights = weights.at(format!("down_blocks.{i}"));
            let resample = weights.at("downsamplers.0.conv");
            let (width, last) = (widths[i], i + 1 == widths.len());
            Ok(Block {
                resnets: resnets(&weights, widths[i.saturating_sub(1)], width, shape.layers, shape.groups)?,
                resample: conv_unless(last, || resample.conv2d(width, width, 3, 2, Padding::After(1)))?,
            })
        };
        let last = widths[widths.len() - 1];
        Ok(Encoder {
            conv_in: weights.at("conv_in").conv2d(3, widths[0], 3, 1, Padding::Around(1))?,
            blocks: (0..widths.len()).map(block).collect::<Loaded<_>>()?,
            middle: Middle::load(shape, &weights.at("mid_block"))?,
            norm_out: weights.at("conv_norm_out").group_norm(last, shape.groups, EPS)?,
            conv_out: weights.at("conv_out").conv2d(
                last,
                2 * shape.latent_channels,
                3,
                1,
                Padding::Around(1),
            )?,
        })
    }
}

impl Decoder {
    fn load(shape: &Shape, weights: &Weights) -> Loaded<Decoder> {
        let widths: Vec<usize> = shape.widths.iter().rev().copied().collect();
        let block = |i: usize| {
            let weights = weights.at(format!("up_blocks.{i}"));
            let resample = weights.at("upsamplers.0.conv");
            let (width, last) = (widths[i], i + 1 == widths.len());
            Ok(Block {
                resnets: resnets(
                    &weights,
                    widths[i.saturating_sub(1)],
                    width,
                    shape.layers + 1,
                    shape.groups,
                )?,
                resample: conv_unless(last, || resample.conv2d(width, width, 3, 1, Padding::Around(1)))?,
            })
        };
        let last = widths[widths.len() - 1];
        Ok(Decoder {
            conv_in: weights.at("conv_in").conv2d(
                shape.latent_channels,
                widths[0],
                3,
                1,
                Padding::Around(1),
            )?,
            middle: Middle::load(shape, &weights.at("mid_block"))?,
            blocks: (0..widths.len()).map(block).collect::<Loaded<_>>()?,
            norm_out: weights.at("conv_norm_out").group_norm(last, shape.groups, EPS)?,
            conv_out: weights.at("conv_out").conv2d(last, 3, 3, 1, Padding::Around(1))?,
        })
    }
}

fn resnets(
    weights: &Weights,
    inputs: usize,
    width: usize,
    count: usize,
    groups: usize,
) -> Loaded<Vec<Resnet>> {
    let resnet = |i: usize| {
        let inputs = if i == 0 { inputs } else { width };
        Resnet::load(&weights.at(format!("resnets.{i}")), inputs, width, None, groups, EPS)
    };
    (0..count).map(resnet).collect()
}

fn conv_unless(last: bool, conv: impl FnOnce() -> Loaded<Conv2d>) -> Loaded<Option<Conv2d>> {
    if last { Ok(None) } else { conv().map(Some) }
}

impl Middle {
    fn load(shape: &Shape, weights: &Weights) -> Loaded<Middle> {
        let width = shape.widths[shape.widths.len() - 1];
        let resnet = |name: &str| Resnet::load(&weights.at(name), width, width, None, shape.groups, EPS);
        let attention = weights.at("attentions.0");
        let attention = if shape.attention { Some(Attention::load(shape, width, &attention)?) } else { None };
        Ok(Middle { resnets: [resnet("resnets.0")?, resnet("resnets.1")?], attention })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.resnets[0].forward(x, None)?;
        if let Some(attention) = &self.attention {
            x = attention.forward(&x)?;
        }
        self.resnets[1].forward(&x, None)
    }
}

impl Attention {
    fn load(shape: &Shape, width: usize, weights: &Weights) -> Loaded<Attention> {
        // Files from before diffusers 0.17, including Stable Diffusion v1-4's, have the old names.
        let linear = |new: &str, old: &str| {
            let name = if weights.has(&format!("{old}.weight")) { old } else { new };
            weights.at(name).linear(width, width, true)
        };
        Ok(Attention {
            norm: weights.at("group_norm").group_norm(width, shape.groups, EPS)?,
            to_q: linear("to_q", "query")?,
            to_k: linear("to_k", "key")?,
            to_v: linear("to_v", "value")?,
            to_out: linear("to_out.0", "proj_attn")?,
            kernels: weights.kernels(),
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.norm.forward(x, Activation::None)?;
        let q = self.to_q.image_to_tokens(&h)?;
        let k = self.to_k.image_to_tokens(&h)?;
        let v = self.to_v.image_to_tokens(&h)?;
        let h = self.kernels.attention(&q, &k, &v, 1, Mask::None)?;
        self.to_out.tokens_to_image(&h, x)
    }
}
