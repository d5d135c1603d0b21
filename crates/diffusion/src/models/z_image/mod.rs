//! Z-Image's transformer: the patches of latents and the tokens of a caption in one sequence.
//!
//! Formulas and tensor names are those of diffusers' `ZImageTransformer2DModel` with one picture. Captions and pictures are
//! filled up to a multiple of 32 tokens with learned tokens, which take part in attention. Not here: Z-Image-Omni.

mod block;
mod config;

pub(crate) use config::{Config, MULTIPLE, PATCH};

use crate::error::ModelError;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::models::sinusoids::sinusoids;
use crate::models::tokens::unpacked_from_pixels;
use crate::weights::blocks::Blocks;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use block::Block;
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, RmsNorm};

/// Channels of the sines and cosines of the time.
const FREQUENCIES: usize = 256;
/// Channels between the two layers of the time's embedding.
const TIME_INNER: usize = 1024;
/// `eps` of the last norm.
const LAST_EPS: f64 = 1e-6;

/// The transformer.
pub(crate) struct ZImageTransformer {
    config: Config,
    x_embedder: Linear,
    time_in: Linear,
    time_out: Linear,
    caption_norm: RmsNorm,
    caption_in: Linear,
    /// `[1, 1, width]`, for the tokens that fill up pictures and captions.
    x_pad: Tensor,
    caption_pad: Tensor,
    noise_refiner: Blocks<Block>,
    context_refiner: Blocks<Block>,
    layers: Blocks<Block>,
    last_scale: Linear,
    last_norm: LayerNorm,
    last: Linear,
    kernels: &'static dyn Kernels,
    dtype: DType,
}

/// What the rows of a call depend on.
pub(crate) struct Inputs<'a> {
    /// `[B, channels, height, width]`
    pub latents: &'a Tensor,
    /// One for each row, 0 (noise) to 1 (picture).
    pub times: Vec<f32>,
    /// `[1, tokens, text_width]`, one for each row, with as many tokens after they are filled up to a multiple of [`MULTIPLE`].
    pub captions: Vec<&'a Tensor>,
}

/// A call between two blocks.
struct State {
    /// The tokens of picture and caption, then of both in `x`.
    x: Tensor,
    caption: Tensor,
    /// `[B, 1, time_width]`
    time: Tensor,
    of_picture: Rotary,
    of_caption: Rotary,
    of_both: Rotary,
}

impl ZImageTransformer {
    pub fn load(file: &ConfigFile, weights: &Weights) -> std::result::Result<ZImageTransformer, ModelError> {
        let config = Config::read(file)?;
        let (width, time, patch) = (config.width, config.time_width(), PATCH * PATCH * config.channels);
        let blocks = |name: &str, count: usize, modulated: bool| {
            let block = |i: usize| Block::load(&config, &weights.at(format!("{name}.{i}")), modulated);
            Blocks::load(weights, count, block)
        };
        let pad = |name: &str| {
            let token = weights.tensor(name, &[1, width])?.reshape((1, 1, width));
            token.map_err(|error| weights.device_error(error))
        };
        let last = weights.at("all_final_layer.2-1");
        Ok(ZImageTransformer {
            x_embedder: weights.at("all_x_embedder.2-1").linear(patch, width, true)?,
            time_in: weights.at("t_embedder.mlp.0").linear(FREQUENCIES, TIME_INNER, true)?,
            time_out: weights.at("t_embedder.mlp.2").linear(TIME_INNER, time, true)?,
            caption_norm: weights.at("cap_embedder.0").rms_norm(config.text_width, config.eps)?,
            caption_in: weights.at("cap_embedder.1").linear(config.text_width, width, true)?,
            caption_pad: pad("cap_pad_token")?,
            x_pad: pad("x_pad_token")?,
            noise_refiner: blocks("noise_refiner", config.refiners, true)?,
            context_refiner: blocks("context_refiner", config.refiners, false)?,
            layers: blocks("layers", config.layers, true)?,
            last_scale: last.at("adaLN_modulation.1").linear(time, width, true)?,
            last_norm: weights.plain_norm(width, LAST_EPS)?,
            last: last.at("linear").linear(width, patch, true)?,
            kernels: weights.kernels(),
            dtype: weights.activation_dtype(),
            config,
        })
    }

    /// The negative flow of each call, `[B, channels, height, width]` like its latents. A block is in memory for all of the calls
    /// before the next one is needed.
    pub fn forward(&self, calls: &[Inputs]) -> Result<Vec<Tensor>> {
        let mut states = calls.iter().map(|inputs| self.begin(inputs)).collect::<Result<Vec<_>>>()?;
        self.context_refiner.each(|block| {
            for state in &mut states {
                state.caption = block.forward(&state.caption, &state.of_caption, &state.time)?;
            }
            Ok(())
        })?;
        self.noise_refiner.each(|block| {
            for state in &mut states {
                state.x = block.forward(&state.x, &state.of_picture, &state.time)?;
            }
            Ok(())
        })?;
        for state in &mut states {
            state.x = Tensor::cat(&[&state.x, &state.caption], 1)?;
        }
        self.layers.each(|block| {
            for state in &mut states {
                state.x = block.forward(&state.x, &state.of_both, &state.time)?;
            }
            Ok(())
        })?;
        calls.iter().zip(&states).map(|(inputs, state)| self.end(inputs, state)).collect()
    }

    /// The state before the first block.
    fn begin(&self, Inputs { latents, times, captions }: &Inputs) -> Result<State> {
        let (rows, _, height, width) = latents.dims4()?;
        let (patches_high, patches_wide) = (height / PATCH, width / PATCH);
        let (patches, device) = (patches_high * patches_wide, latents.device());
        let captions = captions.iter().map(|caption| self.caption(caption)).collect::<Result<Vec<_>>>()?;
        let caption = Tensor::cat(&captions, 0)?;
        let tokens = caption.dim(1)?;
        let caption_positions: Vec<[usize; 3]> = (0..tokens).map(|at| [1 + at, 0, 0]).collect();

        let x = latents.to_dtype(self.dtype)?;
        let x = x.reshape(&[rows, self.config.channels, patches_high, PATCH, patches_wide, PATCH][..])?;
        let x = x.permute([0, 2, 4, 3, 5, 1])?.contiguous()?.reshape((rows, patches, ()))?;
        let x = filled(&self.x_embedder.forward(&x)?, &self.x_pad)?;
        let place = |at: usize| [tokens + 1, at / patches_wide, at % patches_wide];
        let mut positions: Vec<[usize; 3]> = (0..patches).map(place).collect();
        positions.resize(x.dim(1)?, [0; 3]);
        let of_picture = self.rotary(&positions, device)?;
        positions.extend(&caption_positions);
        Ok(State {
            time: self.time(times, device)?,
            of_caption: self.rotary(&caption_positions, device)?,
            of_picture,
            of_both: self.rotary(&positions, device)?,
            x,
            caption,
        })
    }

    /// The result after the last block.
    fn end(&self, Inputs { latents, .. }: &Inputs, State { x, time, .. }: &State) -> Result<Tensor> {
        let (_, _, height, width) = latents.dims4()?;
        let scale = (self.last_scale.forward(&self.kernels.silu(time)?)? + 1.0)?;
        let x = x.narrow(1, 0, (height / PATCH) * (width / PATCH))?.contiguous()?;
        let x = self.last.forward(&self.last_norm.forward(&x)?.broadcast_mul(&scale)?)?;
        unpacked_from_pixels(&x, latents.shape(), PATCH)
    }

    /// The embedding of a caption, filled up.
    fn caption(&self, caption: &Tensor) -> Result<Tensor> {
        let caption = self.caption_norm.forward(&caption.to_dtype(self.dtype)?)?;
        filled(&self.caption_in.forward(&caption)?, &self.caption_pad)
    }

    /// The embedding of the times, `[B, 1, time_width]`.
    fn time(&self, times: &[f32], device: &Device) -> Result<Tensor> {
        let numbers: Vec<f32> = times.iter().map(|time| time * self.config.time_scale as f32).collect();
        let values = sinusoids(&numbers, FREQUENCIES, device)?.to_dtype(self.dtype)?;
        self.time_out.forward(&self.kernels.silu(&self.time_in.forward(&values)?)?)
    }

    fn rotary(&self, positions: &[[usize; 3]], device: &Device) -> Result<Rotary> {
        let Config { axes, lengths, theta, .. } = self.config;
        let beyond = |position: &&[usize; 3]| position.iter().zip(&lengths).any(|(at, length)| at >= length);
        if let Some(position) = positions.iter().find(beyond) {
            candle_core::bail!("the token at {position:?} is beyond the model's positions, {lengths:?}")
        }
        let of_token = |position: &[usize; 3]| {
            position.iter().zip(axes).flat_map(|(&at, depth)| angles(at as f64, depth, theta)).collect()
        };
        let all: Vec<Vec<f64>> = positions.iter().map(of_token).collect();
        Rotary::new(&all, Pairs::Neighbours, device)
    }
}

/// Tokens `[B, count, width]` with as many of `pad`, `[1, 1, width]`, as make a multiple of [`MULTIPLE`].
fn filled(tokens: &Tensor, pad: &Tensor) -> Result<Tensor> {
    let (rows, count, width) = tokens.dims3()?;
    match count.next_multiple_of(MULTIPLE) - count {
        0 => Ok(tokens.clone()),
        more => Tensor::cat(&[tokens, &pad.to_dtype(tokens.dtype())?.broadcast_as((rows, more, width))?], 1),
    }
}
