//! Qwen-Image's transformer: blocks in which picture and text have weights of their own.
//!
//! Formulas and tensor names are those of diffusers' `QwenImageTransformer2DModel`. Not here: ControlNets, pictures as references.

mod config;

pub(crate) use config::Config;

use crate::error::ModelError;
use crate::models::double_block::{DoubleBlock, FeedForward, Shape};
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::models::sinusoids::sinusoids;
use crate::models::tokens::{modulated, packed, unpacked};
use crate::weights::blocks::Blocks;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, RmsNorm};

/// Latent pixels in a patch, in each direction.
pub(crate) const PATCH: usize = 2;

/// Constants of diffusers' class: `eps` of every norm, the base of the rotations, channels of the sines and cosines of the time.
const EPS: f64 = 1e-6;
const THETA: f64 = 10_000.0;
const FREQUENCIES: usize = 256;
/// Shift, scale and gate of attention and of feed-forward.
const MODULATIONS: usize = 6;

/// The transformer of Qwen-Image.
pub(crate) struct QwenImageTransformer {
    config: Config,
    patches_in: Linear,
    text_norm: RmsNorm,
    text_in: Linear,
    time: [Linear; 2],
    blocks: Blocks<Block>,
    norm_out: LayerNorm,
    modulation_out: Linear,
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
    /// `[B, tokens, text_width]`
    pub text: &'a Tensor,
}

struct Block {
    /// Of the picture and of the text.
    modulations: [Linear; 2],
    block: DoubleBlock,
}

/// A call between two blocks.
struct State {
    x: Tensor,
    text: Tensor,
    /// `[B, 1, width]`
    condition: Tensor,
    rotary: Rotary,
}

impl QwenImageTransformer {
    pub fn load(
        file: &ConfigFile,
        weights: &Weights,
    ) -> std::result::Result<QwenImageTransformer, ModelError> {
        let config = Config::read(file)?;
        let width = config.width();
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        let time =
            |name: &str, inputs| linear(&format!("time_text_embed.timestep_embedder.{name}"), inputs, width);
        let block = |i: usize| Block::load(&config, &weights.at(format!("transformer_blocks.{i}")));
        Ok(QwenImageTransformer {
            patches_in: linear("img_in", config.channels, width)?,
            text_norm: weights.at("txt_norm").rms_norm(config.text_width, EPS)?,
            text_in: linear("txt_in", config.text_width, width)?,
            time: [time("linear_1", FREQUENCIES)?, time("linear_2", width)?],
            blocks: Blocks::load(weights, config.layers, block)?,
            norm_out: weights.plain_norm(width, EPS)?,
            modulation_out: linear("norm_out.linear", width, 2 * width)?,
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
                (state.x, state.text) = block.forward(state)?;
            }
            Ok(())
        })?;
        calls.iter().zip(&states).map(|(inputs, state)| self.end(inputs, state)).collect()
    }

    /// The state before the first block.
    fn begin(&self, inputs: &Inputs) -> Result<State> {
        let (_, _, height, width) = inputs.latents.dims4()?;
        let (high, wide, device) = (height / PATCH, width / PATCH, inputs.latents.device());
        let text = self.text_norm.forward(&inputs.text.to_dtype(self.dtype)?)?;
        let waves = sinusoids(inputs.timesteps, FREQUENCIES, device)?.to_dtype(self.dtype)?;
        let [first, second] = &self.time;
        let time = second.forward(&self.kernels.silu(&first.forward(&waves)?)?)?;
        Ok(State {
            x: self.patches_in.forward(&packed(&inputs.latents.to_dtype(self.dtype)?, PATCH)?)?,
            rotary: self.rotary(text.dim(1)?, high, wide, device)?,
            text: self.text_in.forward(&text)?,
            condition: self.kernels.silu(&time)?,
        })
    }

    /// The flow after the last block.
    fn end(&self, inputs: &Inputs, state: &State) -> Result<Tensor> {
        let out = self.modulation_out.forward(&state.condition)?.chunk(2, 2)?;
        let x = self.proj_out.forward(&modulated(&self.norm_out, &state.x, &out[1], &out[0])?)?;
        unpacked(&x, inputs.latents.shape(), PATCH)
    }

    /// Positions of a picture's patches count from its middle on the second and the third axis; those of the text go on from there, on
    /// all of them.
    fn rotary(&self, tokens: usize, high: usize, wide: usize, device: &Device) -> Result<Rotary> {
        let end = (high / 2).max(wide / 2);
        let of_text = (0..tokens).map(|at| [(end + at) as f64; 3]);
        // The middle is that of an even number of patches, or the one above it.
        let middle = |count: usize| (count - count / 2) as f64;
        let of_picture = (0..high * wide)
            .map(|at| [0.0, (at / wide) as f64 - middle(high), (at % wide) as f64 - middle(wide)]);
        let of_token = |position: [f64; 3]| {
            let axes = position.into_iter().zip(self.config.axes);
            axes.flat_map(|(at, depth)| angles(at, depth, THETA)).collect()
        };
        let all: Vec<Vec<f64>> = of_text.chain(of_picture).map(of_token).collect();
        Rotary::new(&all, Pairs::Neighbours, device)
    }
}

impl Block {
    fn load(config: &Config, weights: &Weights) -> std::result::Result<Block, ModelError> {
        let width = config.width();
        let modulation = |name: &str| weights.at(name).linear(width, MODULATIONS * width, true);
        Ok(Block {
            modulations: [modulation("img_mod.1")?, modulation("txt_mod.1")?],
            block: DoubleBlock::load(
                Shape { width, heads: config.heads, eps: EPS, bias: true },
                weights,
                [
                    FeedForward::gelu(width, &weights.at("img_mlp"))?,
                    FeedForward::gelu(width, &weights.at("txt_mlp"))?,
                ],
            )?,
        })
    }

    fn forward(&self, state: &State) -> Result<(Tensor, Tensor)> {
        let by = |layer: &Linear| layer.forward(&state.condition)?.chunk(MODULATIONS, 2);
        let [of_picture, of_text] = &self.modulations;
        let (of_picture, of_text) = (by(of_picture)?, by(of_text)?);
        self.block.forward(&state.x, &state.text, [&of_picture, &of_text], &state.rotary)
    }
}
