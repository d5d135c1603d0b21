//! FLUX.2's transformer: blocks in which picture and text have weights of their own, then blocks in which they share them. All
//! blocks of a kind share the modulation by the time.
//!
//! Formulas and tensor names are those of diffusers' `Flux2Transformer2DModel`. Not here: the guidance scale as an input, and
//! pictures as references.

mod block;
mod config;

pub(crate) use config::Config;

use crate::error::ModelError;
use crate::models::double_block::DoubleBlock;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::models::sinusoids::sinusoids;
use crate::models::tokens::modulated;
use crate::weights::blocks::Blocks;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use block::{Single, double};
use candle_core::{DType, Device, Result, Tensor};
use config::FREQUENCIES;
use maquette_kernels::{Kernels, LayerNorm, Linear};

/// The transformer.
pub(crate) struct Flux2Transformer {
    config: Config,
    patches_in: Linear,
    text_in: Linear,
    time: [Linear; 2],
    modulation_of_picture: Linear,
    modulation_of_text: Linear,
    modulation_of_both: Linear,
    blocks: Blocks<DoubleBlock>,
    single_blocks: Blocks<Single>,
    norm_out: LayerNorm,
    modulation_out: Linear,
    proj_out: Linear,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

impl Flux2Transformer {
    pub fn load(file: &ConfigFile, weights: &Weights) -> std::result::Result<Flux2Transformer, ModelError> {
        let config = Config::read(file)?;
        let width = config.width();
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        let time = |layer: &str, inputs| {
            linear(&format!("time_guidance_embed.timestep_embedder.{layer}"), inputs, width)
        };
        let double = |i: usize| double(&config, &weights.at(format!("transformer_blocks.{i}")));
        let single = |i: usize| Single::load(&config, &weights.at(format!("single_transformer_blocks.{i}")));
        Ok(Flux2Transformer {
            patches_in: linear("x_embedder", config.channels, width)?,
            text_in: linear("context_embedder", config.text_width, width)?,
            time: [time("linear_1", FREQUENCIES)?, time("linear_2", width)?],
            modulation_of_picture: linear("double_stream_modulation_img.linear", width, 6 * width)?,
            modulation_of_text: linear("double_stream_modulation_txt.linear", width, 6 * width)?,
            modulation_of_both: linear("single_stream_modulation.linear", width, 3 * width)?,
            blocks: Blocks::load(weights, config.layers, double)?,
            single_blocks: Blocks::load(weights, config.single_layers, single)?,
            norm_out: weights.plain_norm(width, config.eps)?,
            modulation_out: linear("norm_out.linear", width, 2 * width)?,
            proj_out: linear("proj_out", width, config.channels)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
            config,
        })
    }

    /// The flow, `[B, channels, height, width]`, in latents of this shape at timesteps 0 to 1000; `text` is
    /// `[B, tokens, text_width]`.
    pub fn forward(&self, latents: &Tensor, timesteps: &[f32], text: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = latents.dims4()?;
        let x = latents.to_dtype(self.dtype)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let mut x = self.patches_in.forward(&x)?;
        let mut text = self.text_in.forward(&text.to_dtype(self.dtype)?)?;
        let (tokens, patches) = (text.dim(1)?, x.dim(1)?);
        let rotary = self.rotary(tokens, height, width, latents.device())?;

        let time = sinusoids(timesteps, FREQUENCIES, latents.device())?.to_dtype(self.dtype)?;
        let time = self.time[1].forward(&self.kernels.silu(&self.time[0].forward(&time)?)?)?;
        let condition = self.kernels.silu(&time)?;
        let of_picture = self.modulation_of_picture.forward(&condition)?.chunk(6, 2)?;
        let of_text = self.modulation_of_text.forward(&condition)?.chunk(6, 2)?;
        self.blocks.each(|block| {
            (x, text) = block.forward(&x, &text, [&of_picture, &of_text], &rotary)?;
            Ok(())
        })?;
        let of_both = self.modulation_of_both.forward(&condition)?.chunk(3, 2)?;
        let mut both = Tensor::cat(&[text, x], 1)?;
        self.single_blocks.each(|block| {
            both = block.forward(&both, &of_both, &rotary)?;
            Ok(())
        })?;
        let x = both.narrow(1, tokens, patches)?.contiguous()?;
        let out = self.modulation_out.forward(&condition)?.chunk(2, 2)?;
        let x = modulated(&self.norm_out, &x, &out[1], &out[0])?;
        self.proj_out.forward(&x)?.transpose(1, 2)?.contiguous()?.reshape(latents.shape())
    }

    /// The text has positions on the last axis, the picture on the second and the third.
    fn rotary(&self, tokens: usize, height: usize, width: usize, device: &Device) -> Result<Rotary> {
        let of_text = (0..tokens).map(|at| [0, 0, 0, at]);
        let of_picture = (0..height * width).map(|at| [0, at / width, at % width, 0]);
        let of_token = |position: [usize; 4]| {
            let axes = position.into_iter().zip(self.config.axes);
            axes.flat_map(|(at, depth)| angles(at as f64, depth, self.config.theta)).collect()
        };
        let all: Vec<Vec<f64>> = of_text.chain(of_picture).map(of_token).collect();
        Rotary::new(&all, Pairs::Neighbours, device)
    }
}
