//! The autoencoder of Qwen-Image, which encodes films, for single pictures.
//!
//! Formulas and tensor names are those of diffusers' `AutoencoderKLQwenImage`. Its convolutions over time are causal: before the
//! first frame there are zeros, so that only the last frame of a kernel counts for a single picture; what halves and doubles the
//! number of frames (`time_conv`) is not used for it. Not here: films, attention outside of the middle (`attn_scales`).

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{DType, Result, Tensor};
use maquette_kernels::{Add, Conv2d, Kernels, Linear, Mask, Padding};
use serde_json::{Value, json};

type Loaded<T> = std::result::Result<T, ModelError>;

/// The autoencoder; its latents are normalised by channel, with the statistics in its configuration.
pub(super) struct QwenImage {
    encoder: Encoder,
    quant_conv: Conv2d,
    post_quant_conv: Conv2d,
    decoder: Decoder,
    /// `[1, latent_channels, 1, 1]`, f32.
    mean: Tensor,
    /// The same.
    deviation: Tensor,
    latent_channels: usize,
    dtype: DType,
    kernels: &'static dyn Kernels,
}

struct Encoder {
    conv_in: Conv2d,
    blocks: Vec<Block>,
    middle: Middle,
    norm_out: Norm,
    conv_out: Conv2d,
}

struct Decoder {
    conv_in: Conv2d,
    middle: Middle,
    blocks: Vec<Block>,
    norm_out: Norm,
    conv_out: Conv2d,
}

/// Residual blocks, then a convolution that halves the size, or one after upsampling.
struct Block {
    resnets: Vec<Resnet>,
    resample: Option<Conv2d>,
}

struct Middle {
    resnets: [Resnet; 2],
    attention: Attention,
}

struct Resnet {
    norm1: Norm,
    conv1: Conv2d,
    norm2: Norm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
    kernels: &'static dyn Kernels,
}

/// Single-head attention over all positions.
struct Attention {
    norm: Norm,
    to_qkv: Linear,
    proj: Linear,
    kernels: &'static dyn Kernels,
}

/// A norm of each position's channels by their root mean square.
struct Norm {
    /// `[1, channels, 1, 1]`
    gamma: Tensor,
    channels: usize,
}

/// The shape of encoder and decoder.
struct Shape {
    /// The channels of each level, from that of the pixels on.
    widths: Vec<usize>,
    base: usize,
    layers: usize,
    latent_channels: usize,
}

impl Shape {
    /// Reads and checks a configuration, with the defaults of diffusers' class.
    fn read(config: &ConfigFile) -> Loaded<Shape> {
        config.only("_class_name", &[json!("AutoencoderKLQwenImage")])?;
        config.only("input_channels", &[json!(3)])?;
        // A list: only an empty one has no value that is not allowed.
        config.only("attn_scales", &[])?;
        let base = config.count("base_dim", Some(96))?;
        let factors = match config.get("dim_mult") {
            None => vec![1, 2, 4, 4],
            Some(_) => config.widths("dim_mult")?,
        };
        if factors.iter().any(|factor| !(factor * base).is_multiple_of(2)) {
            return Err(config.refuse("dim_mult", "factors that make even widths of base_dim"));
        }
        let steps = factors.len() - 1;
        let flags = config.get("temperal_downsample").map(|value| value.as_array().map(Vec::len));
        if flags.unwrap_or(Some(3)) != Some(steps) {
            let supported = format!("a list of {steps}, one fewer than dim_mult has");
            return Err(config.refuse("temperal_downsample", supported));
        }
        Ok(Shape {
            widths: factors.iter().map(|factor| factor * base).collect(),
            base,
            layers: config.count("num_res_blocks", Some(2))?,
            latent_channels: config.count("z_dim", Some(16))?,
        })
    }
}

/// Means of the latents of the published model by channel, the default of diffusers' class.
const MEAN: [f64; 16] = [
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632,
    -0.1922, -0.9497, 0.2503, -0.2921,
];
/// Their standard deviations.
const DEVIATION: [f64; 16] = [
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382,
    1.1253, 2.8251, 1.9160,
];

/// The channels of latents, and the pixels per latent pixel, in each direction.
pub(super) fn size(config: &ConfigFile) -> Loaded<(usize, usize)> {
    let shape = Shape::read(config)?;
    Ok((shape.latent_channels, 1 << (shape.widths.len() - 1)))
}

/// Whether a tensor is not used for single pictures.
pub(super) fn is_spare(key: &str) -> bool {
    key.contains(".time_conv.")
}

impl QwenImage {
    pub fn load(config: &ConfigFile, weights: &Weights) -> Loaded<QwenImage> {
        let shape = Shape::read(config)?;
        let channels = shape.latent_channels;
        let statistics = |key: &str, default: &[f64]| {
            let values: Option<Vec<f64>> = match config.get(key) {
                None => Some(default.to_vec()),
                Some(values) => values.as_array().and_then(|list| list.iter().map(Value::as_f64).collect()),
            };
            let values = values.filter(|values| values.len() == channels);
            values.ok_or_else(|| config.refuse(key, format!("a list of {channels} numbers")))
        };
        let (mean, deviation) = (statistics("latents_mean", &MEAN)?, statistics("latents_std", &DEVIATION)?);
        if deviation.iter().any(|deviation| *deviation <= 0.0) {
            return Err(config.refuse("latents_std", "numbers above 0"));
        }
        let place = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            let tensor = Tensor::from_vec(values, (1, channels, 1, 1), weights.device());
            tensor.map_err(|error| weights.device_error(error))
        };
        Ok(QwenImage {
            encoder: Encoder::load(&shape, &weights.at("encoder"))?,
            quant_conv: conv(&weights.at("quant_conv"), 2 * channels, 2 * channels, 1)?,
            post_quant_conv: conv(&weights.at("post_quant_conv"), channels, channels, 1)?,
            decoder: Decoder::load(&shape, &weights.at("decoder"))?,
            mean: place(mean)?,
            deviation: place(deviation)?,
            latent_channels: channels,
            dtype: weights.activation_dtype(),
            kernels: weights.kernels(),
        })
    }

    /// The latents of pixels `[B, 3, H, W]` in -1 to 1: mean and log-variance of the posterior after it is normalised, each
    /// `[B, latent_channels, H / factor, W / factor]`, f32. H and W are multiples of the factor.
    pub fn encode(&self, pixels: &Tensor) -> Result<(Tensor, Tensor)> {
        let encoder = &self.encoder;
        let mut x = encoder.conv_in.forward(&pixels.to_dtype(self.dtype)?)?;
        for block in &encoder.blocks {
            x = block.resnets.iter().try_fold(x, |x, resnet| resnet.forward(&x))?;
            if let Some(conv) = &block.resample {
                x = conv.forward(&x)?;
            }
        }
        x = encoder.middle.forward(&x)?;
        x = encoder.conv_out.forward(&self.kernels.silu(&encoder.norm_out.forward(&x)?)?)?;
        let x = self.quant_conv.forward(&x)?.to_dtype(DType::F32)?;
        let mean = x.narrow(1, 0, self.latent_channels)?;
        let mean = mean.broadcast_sub(&self.mean)?.broadcast_div(&self.deviation)?;
        let logvar = x.narrow(1, self.latent_channels, self.latent_channels)?.clamp(-30f32, 20f32)?;
        Ok((mean, logvar.broadcast_sub(&(self.deviation.log()? * 2.0)?)?))
    }

    /// Pixels, about -1 to 1, not clamped, of normalised latents `[B, latent_channels, h, w]`.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let decoder = &self.decoder;
        let latents = latents.to_dtype(DType::F32)?;
        let latents = latents.broadcast_mul(&self.deviation)?.broadcast_add(&self.mean)?;
        let mut x = self.post_quant_conv.forward(&latents.to_dtype(self.dtype)?)?;
        x = decoder.middle.forward(&decoder.conv_in.forward(&x)?)?;
        for block in &decoder.blocks {
            x = block.resnets.iter().try_fold(x, |x, resnet| resnet.forward(&x))?;
            if let Some(conv) = &block.resample {
                let (_, _, h, w) = x.dims4()?;
                x = conv.forward(&self.kernels.upsample_nearest(&x, 2 * h, 2 * w)?)?;
            }
        }
        decoder.conv_out.forward(&self.kernels.silu(&decoder.norm_out.forward(&x)?)?)
    }
}

/// A causal convolution that keeps the size.
fn conv(weights: &Weights, inputs: usize, outputs: usize, kernel: usize) -> Loaded<Conv2d> {
    weights.conv2d_of_last_frame(inputs, outputs, kernel, Padding::Around(kernel / 2))
}

impl Encoder {
    fn load(shape: &Shape, weights: &Weights) -> Loaded<Encoder> {
        let (mut number, mut inputs) = (0, shape.base);
        let mut next = || {
            number += 1;
            weights.at(format!("down_blocks.{}", number - 1))
        };
        let mut blocks = Vec::new();
        for (i, &width) in shape.widths.iter().enumerate() {
            let mut resnets = Vec::new();
            for _ in 0..shape.layers {
                resnets.push(Resnet::load(&next(), inputs, width)?);
                inputs = width;
            }
            let is_last = i + 1 == shape.widths.len();
            let mut resample = || next().at("resample.1").conv2d(width, width, 3, 2, Padding::After(1));
            blocks.push(Block { resnets, resample: if is_last { None } else { Some(resample()?) } });
        }
        Ok(Encoder {
            conv_in: conv(&weights.at("conv_in"), 3, shape.base, 3)?,
            blocks,
            middle: Middle::load(&weights.at("mid_block"), inputs)?,
            norm_out: Norm::load(&weights.at("norm_out"), inputs, 3)?,
            conv_out: conv(&weights.at("conv_out"), inputs, 2 * shape.latent_channels, 3)?,
        })
    }
}

impl Decoder {
    fn load(shape: &Shape, weights: &Weights) -> Loaded<Decoder> {
        let widths: Vec<usize> = shape.widths.iter().rev().copied().collect();
        let block = |i: usize| {
            let weights = weights.at(format!("up_blocks.{i}"));
            // Every convolution after upsampling halves the channels.
            let (inputs, width) = (if i == 0 { widths[0] } else { widths[i - 1] / 2 }, widths[i]);
            let resnet = |j: usize| {
                let inputs = if j == 0 { inputs } else { width };
                Resnet::load(&weights.at(format!("resnets.{j}")), inputs, width)
            };
            let resample = || {
                let weights = weights.at("upsamplers.0.resample.1");
                weights.conv2d(width, width / 2, 3, 1, Padding::Around(1))
            };
            Ok(Block {
                resnets: (0..=shape.layers).map(resnet).collect::<Loaded<_>>()?,
                resample: if i + 1 == widths.len() { None } else { Some(resample()?) },
            })
        };
        let last = widths[widths.len() - 1];
        Ok(Decoder {
            conv_in: conv(&weights.at("conv_in"), shape.latent_channels, widths[0], 3)?,
            middle: Middle::load(&weights.at("mid_block"), widths[0])?,
            blocks: (0..widths.len()).map(block).collect::<Loaded<_>>()?,
            norm_out: Norm::load(&weights.at("norm_out"), last, 3)?,
            conv_out: conv(&weights.at("conv_out"), last, 3, 3)?,
        })
    }
}

impl Middle {
    fn load(weights: &Weights, width: usize) -> Loaded<Middle> {
        let resnet = |i: usize| Resnet::load(&weights.at(format!("resnets.{i}")), width, width);
        Ok(Middle {
            resnets: [resnet(0)?, resnet(1)?],
            attention: Attention::load(&weights.at("attentions.0"), width)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.attention.forward(&self.resnets[0].forward(x)?)?;
        self.resnets[1].forward(&x)
    }
}

impl Resnet {
    fn load(weights: &Weights, inputs: usize, outputs: usize) -> Loaded<Resnet> {
        let shortcut = || conv(&weights.at("conv_shortcut"), inputs, outputs, 1);
        Ok(Resnet {
            norm1: Norm::load(&weights.at("norm1"), inputs, 3)?,
            conv1: conv(&weights.at("conv1"), inputs, outputs, 3)?,
            norm2: Norm::load(&weights.at("norm2"), outputs, 3)?,
            conv2: conv(&weights.at("conv2"), outputs, outputs, 3)?,
            conv_shortcut: if inputs == outputs { None } else { Some(shortcut()?) },
            kernels: weights.kernels(),
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.conv1.forward(&self.kernels.silu(&self.norm1.forward(x)?)?)?;
        let h = self.kernels.silu(&self.norm2.forward(&h)?)?;
        match &self.conv_shortcut {
            Some(conv) => self.conv2.forward_add(&h, Add::Image(&conv.forward(x)?)),
            None => self.conv2.forward_add(&h, Add::Image(x)),
        }
    }
}

impl Attention {
    fn load(weights: &Weights, width: usize) -> Loaded<Attention> {
        Ok(Attention {
            norm: Norm::load(&weights.at("norm"), width, 2)?,
            to_qkv: weights.at("to_qkv").linear(width, 3 * width, true)?,
            proj: weights.at("proj").linear(width, width, true)?,
            kernels: weights.kernels(),
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let all = self.to_qkv.image_to_tokens(&self.norm.forward(x)?)?;
        let width = all.dim(2)? / 3;
        let part = |i: usize| all.narrow(2, i * width, width)?.contiguous();
        let h = self.kernels.attention(&part(0)?, &part(1)?, &part(2)?, 1, Mask::None)?;
        self.proj.tokens_to_image(&h, x)
    }
}

impl Norm {
    /// `axes` is the number of axes that frames have in the file: time, height and width, or without time.
    fn load(weights: &Weights, channels: usize, axes: usize) -> Loaded<Norm> {
        let shape = [&[channels][..], &vec![1; axes]].concat();
        let gamma = weights.tensor("gamma", &shape)?.reshape((1, channels, 1, 1));
        Ok(Norm { gamma: gamma.map_err(|error| weights.device_error(error))?, channels })
    }

    /// In f32, as in diffusers; the smallest length is that of torch's `normalize`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let wide = x.to_dtype(DType::F32)?;
        let length = wide.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?;
        let unit = wide.broadcast_div(&length)?.to_dtype(x.dtype())?;
        (unit * (self.channels as f64).sqrt())?.broadcast_mul(&self.gamma.to_dtype(x.dtype())?)
    }
}

#[cfg(test)]
#[path = "qwen_image_tests.rs"]
mod tests;
