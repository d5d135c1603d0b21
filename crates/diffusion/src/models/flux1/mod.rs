//! FLUX.1's transformer, and Chroma's: blocks in which picture and text have weights of their own, then blocks in which they share
//! them.
//!
//! Formulas and tensor names are those of diffusers' `FluxTransformer2DModel` and `ChromaTransformer2DModel`, which differ in what the
//! shifts, scales and gates come from. Not here: ControlNets, pictures as references, models for filling.

mod block;
mod config;
mod modulation;

pub(crate) use config::{Conditioned, Config};

use crate::error::ModelError;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::models::tokens::{modulated, packed, unpacked};
use crate::weights::blocks::Blocks;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use block::{Double, Single};
use candle_core::{DType, Device, Result, Tensor};
use config::{EPS, LAST, THETA};
use maquette_kernels::{Kernels, LayerNorm, Linear};
use modulation::{Conditioning, Modulation};

/// Latent pixels in a patch, in each direction.
pub(crate) const PATCH: usize = 2;

/// The transformer of FLUX.1 or Chroma.
pub(crate) struct Flux1Transformer {
    config: Config,
    patches_in: Linear,
    text_in: Linear,
    conditioning: Conditioning,
    blocks: Blocks<Double>,
    single_blocks: Blocks<Single>,
    norm_out: LayerNorm,
    modulation_out: Modulation,
    proj_out: Linear,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

/// The rows of a call, and what their predictions depend on.
pub(crate) struct Inputs<'a> {
    /// `[B, channels / 4, height, width]`
    pub latents: &'a Tensor,
    /// 0 to 1000.
    pub timesteps: &'a [f32],
    /// Without an effect unless the model takes it.
    pub guidance_scales: &'a [f64],
    /// `[B, tokens, text_width]`
    pub text: &'a Tensor,
    /// `[B, 1, pooled_width]`, of FLUX.1 alone.
    pub pooled: Option<&'a Tensor>,
}

/// A call between two blocks.
struct State {
    x: Tensor,
    text: Tensor,
    condition: Tensor,
    rotary: Rotary,
}

impl Flux1Transformer {
    pub fn load(file: &ConfigFile, weights: &Weights) -> std::result::Result<Flux1Transformer, ModelError> {
        let config = Config::read(file)?;
        let width = config.width();
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        let double = |i: usize| Double::load(&config, &weights.at(format!("transformer_blocks.{i}")), i);
        let single =
            |i: usize| Single::load(&config, &weights.at(format!("single_transformer_blocks.{i}")), i);
        Ok(Flux1Transformer {
            patches_in: linear("x_embedder", config.channels, width)?,
            text_in: linear("context_embedder", config.text_width, width)?,
            conditioning: Conditioning::load(&config, weights)?,
            blocks: Blocks::load(weights, config.layers, double)?,
            single_blocks: Blocks::load(weights, config.single_layers, single)?,
            norm_out: weights.plain_norm(width, EPS)?,
            modulation_out: Modulation::load(
                &config,
                weights,
                "norm_out.linear",
                config.modulations() - LAST,
                LAST,
            )?,
            proj_out: linear("proj_out", width, config.channels)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
            config,
        })
    }

    /// The flow of each call, `[B, channels / 4, height, width]` like its latents. A block is in memory for all of the calls before
    /// the next one is needed.
    pub fn forward(&self, calls: &[Inputs]) -> Result<Vec<Tensor>> {
        let mut states = calls.iter().map(|inputs| self.begin(inputs)).collect::<Result<Vec<_>>>()?;
        self.blocks.each(|block| {
            for state in &mut states {
                (state.x, state.text) =
                    block.forward(&state.x, &state.text, &state.condition, &state.rotary)?;
            }
            Ok(())
        })?;
        for state in &mut states {
            state.x = Tensor::cat(&[&state.text, &state.x], 1)?;
        }
        self.single_blocks.each(|block| {
            for state in &mut states {
                state.x = block.forward(&state.x, &state.condition, &state.rotary)?;
            }
            Ok(())
        })?;
        calls.iter().zip(&states).map(|(inputs, state)| self.end(inputs, state)).collect()
    }

    /// The state before the first block.
    fn begin(&self, inputs: &Inputs) -> Result<State> {
        let (_, _, height, width) = inputs.latents.dims4()?;
        let (high, wide, device) = (height / PATCH, width / PATCH, inputs.latents.device());
        let x = packed(&inputs.latents.to_dtype(self.dtype)?, PATCH)?;
        let text = self.text_in.forward(&inputs.text.to_dtype(self.dtype)?)?;
        let place = (self.kernels, self.dtype, device);
        Ok(State {
            x: self.patches_in.forward(&x)?,
            rotary: self.rotary(text.dim(1)?, high, wide, device)?,
            text,
            condition: self.conditioning.forward(
                inputs.timesteps,
                inputs.guidance_scales,
                inputs.pooled,
                place,
            )?,
        })
    }

    /// The flow after the last block.
    fn end(&self, inputs: &Inputs, state: &State) -> Result<Tensor> {
        let tokens = state.text.dim(1)?;
        let x = state.x.narrow(1, tokens, state.x.dim(1)? - tokens)?.contiguous()?;
        let out = self.modulation_out.of(&state.condition)?;
        // FLUX.1's layer gives the scale first.
        let (shift, scale) = match self.modulation_out {
            Modulation::Layer { .. } => (&out[1], &out[0]),
            Modulation::Rows { .. } => (&out[0], &out[1]),
        };
        let x = self.proj_out.forward(&modulated(&self.norm_out, &x, shift, scale)?)?;
        unpacked(&x, inputs.latents.shape(), PATCH)
    }

    /// The text has no positions, the picture those of its patches on the second and the third axis.
    fn rotary(&self, tokens: usize, high: usize, wide: usize, device: &Device) -> Result<Rotary> {
        let of_text = (0..tokens).map(|_| [0; 3]);
        let of_picture = (0..high * wide).map(|at| [0, at / wide, at % wide]);
        let of_token = |position: [usize; 3]| {
            let axes = position.into_iter().zip(self.config.axes);
            axes.flat_map(|(at, depth)| angles(at as f64, depth, THETA)).collect()
        };
        let all: Vec<Vec<f64>> = of_text.chain(of_picture).map(of_token).collect();
        Rotary::new(&all, Pairs::Neighbours, device)
    }
}
