//! A small autoencoder without a distribution, for quick drafts: convolutions and ReLUs.
//!
//! Formulas and tensor names are those of diffusers' `AutoencoderTiny`; the models are TAESD's
//! (<https://github.com/madebyollin/taesd>). Not here: storing latents as bytes (`latent_magnitude` and `latent_shift`
//! are only for that), other activations than ReLU, other ways to enlarge than repeating pixels.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Add, Conv2d, Kernels, Padding};
use serde_json::json;

type Loaded<T> = std::result::Result<T, ModelError>;

/// Both directions, layer by layer in the order of the files.
pub(super) struct Tiny {
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
    kernels: &'static dyn Kernels,
}

enum Layer {
    Conv(Conv2d),
    Relu,
    Block([Conv2d; 3]),
    /// Doubles the size by repeating pixels.
    Upsample,
}

/// How many levels it has, of different sizes. Refuses unsupported configurations.
pub(super) fn levels(config: &ConfigFile) -> Loaded<usize> {
    for (key, allowed) in [
        ("act_fn", json!("relu")),
        ("upsample_fn", json!("nearest")),
        ("upsampling_scaling_factor", json!(2)),
    ] {
        config.only(key, &[allowed])?;
    }
    let levels = Side::Encoder.read(config)?.len();
    if Side::Decoder.read(config)?.len() != levels {
        return Err(
            config.refuse("decoder_block_out_channels", format!("a list of {levels}, like the encoder's"))
        );
    }
    Ok(levels)
}

impl Tiny {
    pub(super) fn load(config: &ConfigFile, weights: &Weights) -> Loaded<Tiny> {
        let latents = config.count("latent_channels", Some(4))?;
        let mut encoder = Loading { weights: weights.at("encoder.layers"), layers: Vec::new() };
        let levels = Side::Encoder.read(config)?;
        let last = levels[levels.len() - 1].width;
        for (i, &Level { width, blocks }) in levels.iter().enumerate() {
            match i {
                0 => encoder.conv(3, width, 1, true)?,
                _ => encoder.conv(width, width, 2, false)?,
            }
            encoder.blocks(width, blocks)?;
        }
        encoder.conv(last, latents, 1, true)?;

        let mut decoder = Loading { weights: weights.at("decoder.layers"), layers: Vec::new() };
        let levels = Side::Decoder.read(config)?;
        decoder.conv(latents, levels[0].width, 1, true)?;
        decoder.layers.push(Layer::Relu);
        for (i, &Level { width, blocks }) in levels.iter().enumerate() {
            decoder.blocks(width, blocks)?;
            if i + 1 < levels.len() {
                decoder.layers.push(Layer::Upsample);
                decoder.conv(width, width, 1, false)?;
            } else {
                decoder.conv(width, 3, 1, true)?;
            }
        }
        Ok(Tiny { encoder: encoder.layers, decoder: decoder.layers, kernels: weights.kernels() })
    }

    /// Latents of pixels `[B, 3, H, W]` in -1..1.
    pub(super) fn encode(&self, pixels: &Tensor) -> Result<Tensor> {
        self.forward(&self.encoder, pixels.affine(0.5, 0.5)?)
    }

    /// Pixels, about -1..1, of latents `[B, channels, h, w]`.
    pub(super) fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let clamped = ((latents / 3.0)?.tanh()? * 3.0)?;
        self.forward(&self.decoder, clamped)?.affine(2.0, -1.0)
    }

    fn forward(&self, layers: &[Layer], mut x: Tensor) -> Result<Tensor> {
        for layer in layers {
            x = match layer {
                Layer::Conv(conv) => conv.forward(&x)?,
                Layer::Relu => self.kernels.relu(&x)?,
                Layer::Block([first, second, third]) => {
                    let relu = |x: Tensor| self.kernels.relu(&x);
                    let h = relu(second.forward(&relu(first.forward(&x)?)?)?)?;
                    relu(third.forward_add(&h, Add::Image(&x))?)?
                }
                Layer::Upsample => {
                    let (_, _, height, width) = x.dims4()?;
                    self.kernels.upsample_nearest(&x, 2 * height, 2 * width)?
                }
            };
        }
        Ok(x)
    }
}

/// Layers that are being loaded; each is named by its position.
struct Loading<'a> {
    weights: Weights<'a>,
    layers: Vec<Layer>,
}

impl Loading<'_> {
    fn conv(&mut self, inputs: usize, outputs: usize, stride: usize, bias: bool) -> Loaded<()> {
        let weights = self.weights.at(self.layers.len());
        let conv = weights.conv2d_with([inputs, outputs, 3, stride], Padding::Around(1), bias)?;
        self.layers.push(Layer::Conv(conv));
        Ok(())
    }

    /// Residual blocks: three convolutions with ReLUs between, plus the input, then a ReLU.
    fn blocks(&mut self, width: usize, count: usize) -> Loaded<()> {
        for _ in 0..count {
            let weights = self.weights.at(self.layers.len());
            let conv =
                |i: usize| weights.at(format!("conv.{i}")).conv2d(width, width, 3, 1, Padding::Around(1));
            let block = [conv(0)?, conv(2)?, conv(4)?];
            self.layers.push(Layer::Block(block));
        }
        Ok(())
    }
}

/// One size of the image, in the order of the layers.
struct Level {
    width: usize,
    blocks: usize,
}

#[derive(Clone, Copy)]
enum Side {
    Encoder,
    Decoder,
}

impl Side {
    fn read(self, config: &ConfigFile) -> Loaded<Vec<Level>> {
        let (widths_key, blocks_key, blocks) = match self {
            Side::Encoder => ("encoder_block_out_channels", "num_encoder_blocks", json!([1, 3, 3, 3])),
            Side::Decoder => ("decoder_block_out_channels", "num_decoder_blocks", json!([3, 3, 3, 1])),
        };
        let widths = match config.get(widths_key) {
            Some(_) => config.widths(widths_key)?,
            None => vec![64; 4],
        };
        let blocks = config.get(blocks_key).unwrap_or(&blocks);
        let blocks: Option<Vec<usize>> = blocks.as_array().and_then(|list| {
            list.iter().map(|blocks| usize::try_from(blocks.as_u64()?).ok().filter(|&n| n <= 1000)).collect()
        });
        // diffusers' convolution that changes the size has as many inputs as outputs.
        if widths.iter().any(|&width| width != widths[0]) {
            return Err(config.refuse(widths_key, "equal widths"));
        }
        match blocks {
            Some(blocks) if blocks.len() == widths.len() => {
                Ok(widths.into_iter().zip(blocks).map(|(width, blocks)| Level { width, blocks }).collect())
            }
            _ => Err(config.refuse(blocks_key, format!("a list of {} whole numbers", widths.len()))),
        }
    }
}
