//! FLUX.1's transformer: blocks in which picture and text have weights of their own, then blocks in which they share them.
//!
//! Formulas and tensor names are those of diffusers' `FluxTransformer2DModel`. Not here: ControlNets, pictures as references,
//! models for filling.

mod block;
mod config;

pub(crate) use config::Config;

use crate::error::ModelError;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::models::sinusoids::sinusoids;
use crate::models::tokens::modulated;
use crate::weights::blocks::Blocks;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use block::{Double, Single};
use candle_core::{DType, Device, Result, Tensor};
use config::{EPS, THETA};
use maquette_kernels::{Kernels, LayerNorm, Linear};

/// Channels of the sines and cosines of the time and of the guidance scale.
const FREQUENCIES: usize = 256;
/// Latent pixels in a patch, in each direction.
pub(crate) const PATCH: usize = 2;

/// The transformer.
pub(crate) struct Flux1Transformer {
    config: Config,
    patches_in: Linear,
    text_in: Linear,
    time: [Linear; 2],
    guidance: Option<[Linear; 2]>,
    pooled: [Linear; 2],
    blocks: Blocks<Double>,
    single_blocks: Blocks<Single>,
    norm_out: LayerNorm,
    modulation_out: Linear,
    proj_out: Linear,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

/// What a row's prediction depends on, besides its latents.
pub(crate) struct Inputs<'a> {
    /// 0 to 1000.
    pub timesteps: &'a [f32],
    /// Without an effect unless the model takes it.
    pub guidance_scales: &'a [f64],
    /// `[B, tokens, text_width]`
    pub text: &'a Tensor,
    /// `[B, 1, pooled_width]`
    pub pooled: &'a Tensor,
}

impl Flux1Transformer {
    pub fn load(file: &ConfigFile, weights: &Weights) -> std::result::Result<Flux1Transformer, ModelError> {
        let config = Config::read(file)?;
        let width = config.width();
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        let embed = |name: &str, inputs| {
            let at = |layer: &str| format!("time_text_embed.{name}.{layer}");
            Ok::<_, ModelError>([
                linear(&at("linear_1"), inputs, width)?,
                linear(&at("linear_2"), width, width)?,
            ])
        };
        let guidance = || embed("guidance_embedder", FREQUENCIES);
        let double = |i: usize| Double::load(&config, &weights.at(format!("transformer_blocks.{i}")));
        let single = |i: usize| Single::load(&config, &weights.at(format!("single_transformer_blocks.{i}")));
        Ok(Flux1Transformer {
            patches_in: linear("x_embedder", config.channels, width)?,
            text_in: linear("context_embedder", config.text_width, width)?,
            time: embed("timestep_embedder", FREQUENCIES)?,
            guidance: if config.embeds_guidance { Some(guidance()?) } else { None },
            pooled: embed("text_embedder", config.pooled_width)?,
            blocks: Blocks::load(weights, config.layers, double)?,
            single_blocks: Blocks::load(weights, config.single_layers, single)?,
            norm_out: weights.plain_norm(width, EPS)?,
            modulation_out: linear("norm_out.linear", width, 2 * width)?,
            proj_out: linear("proj_out", width, config.channels)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
            config,
        })
    }

    /// The flow, `[B, channels / 4, height, width]`, in latents of this shape.
    pub fn forward(&self, latents: &Tensor, inputs: &Inputs) -> Result<Tensor> {
        let (rows, channels, height, width) = latents.dims4()?;
        let (high, wide) = (height / PATCH, width / PATCH);
        let x = latents.to_dtype(self.dtype)?.reshape(&[rows, channels, high, PATCH, wide, PATCH][..])?;
        let x = x.permute([0, 2, 4, 1, 3, 5])?.contiguous()?.reshape((rows, high * wide, ()))?;
        let mut x = self.patches_in.forward(&x)?;
        let mut text = self.text_in.forward(&inputs.text.to_dtype(self.dtype)?)?;
        let (tokens, patches) = (text.dim(1)?, x.dim(1)?);
        let rotary = self.rotary(tokens, high, wide, latents.device())?;

        let condition = self.kernels.silu(&self.condition(inputs)?)?;
        self.blocks.each(|block| {
            (x, text) = block.forward(&x, &text, &condition, &rotary)?;
            Ok(())
        })?;
        let mut both = Tensor::cat(&[text, x], 1)?;
        self.single_blocks.each(|block| {
            both = block.forward(&both, &condition, &rotary)?;
            Ok(())
        })?;
        let x = both.narrow(1, tokens, patches)?.contiguous()?;
        let out = self.modulation_out.forward(&condition)?.chunk(2, 2)?;
        let x = self.proj_out.forward(&modulated(&self.norm_out, &x, &out[1], &out[0])?)?;
        let x = x.reshape(&[rows, high, wide, channels, PATCH, PATCH][..])?;
        x.permute([0, 3, 1, 4, 2, 5])?.contiguous()?.reshape(latents.shape())
    }

    /// The sum of the embeddings of time, guidance scale and pooled text, `[B, 1, width]`.
    fn condition(&self, inputs: &Inputs) -> Result<Tensor> {
        let device = inputs.text.device();
        let embedded = |layers: &[Linear; 2], numbers: &[f32]| {
            self.twice(layers, &sinusoids(numbers, FREQUENCIES, device)?.to_dtype(self.dtype)?)
        };
        let mut sum = embedded(&self.time, inputs.timesteps)?;
        if let Some(layers) = &self.guidance {
            let scales: Vec<f32> =
                inputs.guidance_scales.iter().map(|&scale| scale as f32 * 1000.0).collect();
            sum = (sum + embedded(layers, &scales)?)?;
        }
        sum + self.twice(&self.pooled, &inputs.pooled.to_dtype(self.dtype)?)?
    }

    fn twice(&self, [first, second]: &[Linear; 2], x: &Tensor) -> Result<Tensor> {
        second.forward(&self.kernels.silu(&first.forward(x)?)?)
    }

    /// The text has no positions, the picture those of its patches on the second and the third axis.
    fn rotary(&self, tokens: usize, high: usize, wide: usize, device: &Device) -> Result<Rotary> {
        let of_text = (0..tokens).map(|_| [0; 3]);
        let of_picture = (0..high * wide).map(|at| [0, at / wide, at % wide]);
        let of_token = |position: [usize; 3]| {
            let axes = position.into_iter().zip(self.config.axes);
            axes.flat_map(|(at, depth)| angles(at, depth, THETA)).collect()
        };
        let all: Vec<Vec<f64>> = of_text.chain(of_picture).map(of_token).collect();
        Rotary::new(&all, Pairs::Neighbours, device)
    }
}
