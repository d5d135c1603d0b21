//! The transformer of Stable Diffusion 3 and 3.5 (MMDiT, Esser et al., arXiv 2403.03206): patches of latents and tokens of the
//! text attend to each other, each with weights of its own.
//!
//! Formulas and tensor names are those of diffusers' `SD3Transformer2DModel`.

mod block;
mod config;

pub(crate) use config::Config;

use crate::error::ModelError;
use crate::models::sinusoids::sinusoids;
use crate::models::tokens::{modulated, packed, unpacked_from_pixels};
use crate::weights::blocks::Blocks;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use block::{Block, Kind, parts};
use candle_core::{DType, Result, Tensor};
use config::EPS;
use maquette_kernels::{Kernels, LayerNorm, Linear};

/// Channels of the sines and cosines of the time.
const FREQUENCIES: usize = 256;
/// The transformer.
pub(crate) struct Mmdit {
    config: Config,
    patches_in: Linear,
    /// `[1, positions * positions, width]`
    positions: Tensor,
    time: [Linear; 2],
    pooled: [Linear; 2],
    text_in: Linear,
    blocks: Blocks<Block>,
    norm_out: LayerNorm,
    modulation_out: Linear,
    proj_out: Linear,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

/// What the rows of a call depend on.
pub(crate) struct Inputs<'a> {
    /// `[B, channels, height, width]`
    pub latents: &'a Tensor,
    /// One for each row, 0 to 1000.
    pub timesteps: &'a [f32],
    /// `[B, tokens, text_width]`
    pub text: Tensor,
    /// `[B, 1, pooled_width]`
    pub pooled: Tensor,
}

/// A call between two blocks.
struct State {
    /// Patches of the picture, tokens of the text.
    x: Tensor,
    text: Tensor,
    /// The embeddings of time and pooled text, `[B, 1, width]`.
    condition: Tensor,
}

impl Mmdit {
    pub fn load(file: &ConfigFile, weights: &Weights) -> std::result::Result<Mmdit, ModelError> {
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
        let block = |i: usize| {
            let kind = match i + 1 == config.layers {
                true => Kind::Last,
                false if config.dual.contains(&i) => Kind::Dual,
                false => Kind::Ordinary,
            };
            Block::load(&config, &weights.at(format!("transformer_blocks.{i}")), kind)
        };
        let squares = config.positions * config.positions;
        Ok(Mmdit {
            patches_in: weights.at("pos_embed.proj").patch_embedding(
                config.channels,
                width,
                config.patch,
                true,
            )?,
            positions: weights.at("pos_embed").tensor("pos_embed", &[1, squares, width])?,
            time: embed("timestep_embedder", FREQUENCIES)?,
            pooled: embed("text_embedder", config.pooled_width)?,
            text_in: linear("context_embedder", config.text_width, width)?,
            blocks: Blocks::load(weights, config.layers, block)?,
            norm_out: weights.plain_norm(width, EPS)?,
            modulation_out: linear("norm_out.linear", width, 2 * width)?,
            proj_out: linear("proj_out", width, config.patch * config.patch * config.channels)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
            config,
        })
    }

    /// The flow of each call, `[B, channels, height, width]` like its latents. A block is in memory for all of the calls before the
    /// next one is needed.
    pub fn forward(&self, calls: &[Inputs]) -> Result<Vec<Tensor>> {
        let mut states = calls.iter().map(|inputs| self.begin(inputs)).collect::<Result<Vec<_>>>()?;
        self.blocks.each(|block| {
            for State { x, text, condition } in &mut states {
                (*x, *text) = block.forward(x, text, condition)?;
            }
            Ok(())
        })?;
        calls.iter().zip(&states).map(|(inputs, state)| self.end(inputs, state)).collect()
    }

    /// The state before the first block.
    fn begin(&self, Inputs { latents, timesteps, text, pooled }: &Inputs) -> Result<State> {
        let patch = self.config.patch;
        let (_, _, height, width) = latents.dims4()?;
        let (high, wide) = (height / patch, width / patch);
        let x = packed(&latents.to_dtype(self.dtype)?, patch)?;
        let x = self.patches_in.forward(&x)?.broadcast_add(&self.positions_of(high, wide)?)?;
        let text = self.text_in.forward(&text.to_dtype(self.dtype)?)?;

        let time = sinusoids(timesteps, FREQUENCIES, latents.device())?.to_dtype(self.dtype)?;
        let time =
            self.twice(&self.time, &time)? + self.twice(&self.pooled, &pooled.to_dtype(self.dtype)?)?;
        Ok(State { x, text, condition: self.kernels.silu(&time?)? })
    }

    /// The result after the last block.
    fn end(&self, Inputs { latents, .. }: &Inputs, State { x, condition, .. }: &State) -> Result<Tensor> {
        let [scale, shift] = parts(&self.modulation_out, condition)?;
        let x = self.proj_out.forward(&modulated(&self.norm_out, x, &shift, &scale)?)?;
        unpacked_from_pixels(&x, latents.shape(), self.config.patch)
    }

    fn twice(&self, [first, second]: &[Linear; 2], x: &Tensor) -> Result<Tensor> {
        second.forward(&self.kernels.silu(&first.forward(x)?)?)
    }

    /// The positions in the middle of the square, `[1, high * wide, width]`.
    fn positions_of(&self, high: usize, wide: usize) -> Result<Tensor> {
        let edge = self.config.positions;
        if high > edge || wide > edge {
            candle_core::bail!("the model has positions for {edge} x {edge} patches, not {high} x {wide}")
        }
        let square = self.positions.reshape((1, edge, edge, ()))?;
        let part = square.narrow(1, (edge - high) / 2, high)?.narrow(2, (edge - wide) / 2, wide)?;
        part.contiguous()?.reshape((1, high * wide, ()))?.to_dtype(self.dtype)
    }
}
