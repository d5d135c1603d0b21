//! The two kinds of blocks of FLUX.2's transformer.
//!
//! Formulas and tensor names are those of diffusers' `Flux2TransformerBlock` and `Flux2SingleTransformerBlock`.

use super::config::Config;
use crate::error::ModelError;
use crate::models::double_block::{DoubleBlock, FeedForward, Shape};
use crate::models::rotary::Rotary;
use crate::models::tokens::{modulated, normalised, rotated};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// Attention and feed-forward side by side, in one layer before and one behind them.
pub(super) struct Single {
    norm: LayerNorm,
    to_all: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    to_out: Linear,
    heads: usize,
    inner: usize,
    kernels: &'static dyn Kernels,
}

/// SiLU of the first half of the channels, times the second.
fn gated(kernels: &dyn Kernels, x: &Tensor) -> Result<Tensor> {
    let half = x.dim(2)? / 2;
    kernels.silu(&x.narrow(2, 0, half)?.contiguous()?)? * x.narrow(2, half, half)?
}

/// Picture and text with weights of their own, which attend to each other.
pub(super) fn double(config: &Config, weights: &Weights) -> Loaded<DoubleBlock> {
    let (width, inner) = (config.width(), config.inner);
    let feed_forward = |name: &str| {
        let linear = |layer: &str, inputs, outputs| {
            weights.at(format!("{name}.{layer}")).linear(inputs, outputs, false)
        };
        Ok::<_, ModelError>(FeedForward {
            first: linear("linear_in", width, 2 * inner)?,
            second: linear("linear_out", inner, width)?,
            activation: gated,
        })
    };
    let shape = Shape { width, heads: config.heads, eps: config.eps, bias: false };
    DoubleBlock::load(shape, weights, [feed_forward("ff")?, feed_forward("ff_context")?])
}

impl Single {
    pub fn load(config: &Config, weights: &Weights) -> Loaded<Single> {
        let (width, inner) = (config.width(), config.inner);
        let norm = |name: &str| weights.at(name).rms_norm(config.depth, config.eps);
        Ok(Single {
            norm: weights.plain_norm(width, config.eps)?,
            to_all: weights.at("attn.to_qkv_mlp_proj").linear(width, 3 * width + 2 * inner, false)?,
            norm_q: norm("attn.norm_q")?,
            norm_k: norm("attn.norm_k")?,
            to_out: weights.at("attn.to_out").linear(width + inner, width, false)?,
            heads: config.heads,
            inner,
            kernels: weights.kernels(),
        })
    }

    /// Text and picture in one sequence, with shift, scale and gate.
    pub fn forward(&self, x: &Tensor, by: &[Tensor], rotary: &Rotary) -> Result<Tensor> {
        let width = x.dim(2)?;
        let all = self.to_all.forward(&modulated(&self.norm, x, &by[0], &by[1])?)?;
        let part = |at: usize| all.narrow(2, at * width, width)?.contiguous();
        let turned = |at: usize, norm: &RmsNorm| {
            rotated(rotary, &normalised(norm, &part(at)?, self.heads)?, self.heads)
        };
        let (q, k) = (turned(0, &self.norm_q)?, turned(1, &self.norm_k)?);
        let h = self.kernels.attention(&q, &k, &part(2)?, self.heads, Mask::None)?;
        let fed = gated(self.kernels, &all.narrow(2, 3 * width, 2 * self.inner)?)?;
        let h = self.to_out.forward(&Tensor::cat(&[h, fed], 2)?)?;
        x + h.broadcast_mul(&by[2])?
    }
}
