//! A block of Cosmos-Predict2's transformer: attention, attention to the text, a feed-forward, each shifted, scaled and gated by
//! the time.
//!
//! Formulas and tensor names are those of diffusers' `CosmosTransformerBlock`, `CosmosAdaLayerNormZero` and
//! `CosmosAdaLayerNorm`.

use super::config::Config;
use crate::error::ModelError;
use crate::models::rotary::Rotary;
use crate::models::tokens::{modulated, normalised, rotated};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// `eps` of the norms of tokens, and of those of queries and keys.
const EPS: f64 = 1e-6;
const HEAD_EPS: f64 = 1e-5;

/// What a time changes.
pub(super) struct Time {
    /// SiLU of its normalised sines and cosines, `[B, 1, width]`.
    pub active: Tensor,
    /// What is added to every layer's shift, scale and gate, `[B, 1, 3 * width]`.
    pub sum: Tensor,
}

pub(super) struct Block {
    norms: [Modulated; 3],
    attention: Attention,
    text_attention: Attention,
    feed_forward: [Linear; 2],
    kernels: &'static dyn Kernels,
}

/// A norm, shifted and scaled by the time.
pub(super) struct Modulated {
    norm: LayerNorm,
    linear_1: Linear,
    linear_2: Linear,
    parts: usize,
}

struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    heads: usize,
    kernels: &'static dyn Kernels,
}

impl Block {
    pub fn load(config: &Config, weights: &Weights) -> Loaded<Block> {
        let width = config.width();
        let norm = |name: &str| Modulated::load(config, &weights.at(name), 3);
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        Ok(Block {
            norms: [norm("norm1")?, norm("norm2")?, norm("norm3")?],
            attention: Attention::load(config, width, &weights.at("attn1"))?,
            text_attention: Attention::load(config, config.text_width, &weights.at("attn2"))?,
            feed_forward: [
                linear("ff.net.0.proj", width, config.inner)?,
                linear("ff.net.2", config.inner, width)?,
            ],
            kernels: weights.kernels(),
        })
    }

    /// Patches `[B, count, width]` and the text's embeddings `[B, tokens, text_width]`.
    pub fn forward(&self, x: &Tensor, text: &Tensor, time: &Time, rotary: &Rotary) -> Result<Tensor> {
        let (h, gate) = self.norms[0].forward(x, time)?;
        let x = (x + self.attention.forward(&h, &h, Some(rotary))?.broadcast_mul(&gate)?)?;
        let (h, gate) = self.norms[1].forward(&x, time)?;
        let x = (&x + self.text_attention.forward(&h, text, None)?.broadcast_mul(&gate)?)?;
        let (h, gate) = self.norms[2].forward(&x, time)?;
        let h = self.feed_forward[1].forward(&self.kernels.gelu(&self.feed_forward[0].forward(&h)?)?)?;
        &x + h.broadcast_mul(&gate)?
    }
}

impl Modulated {
    /// `parts` is 3 for a shift, a scale and a gate, 2 without a gate.
    pub fn load(config: &Config, weights: &Weights, parts: usize) -> Loaded<Modulated> {
        let width = config.width();
        Ok(Modulated {
            norm: weights.plain_norm(width, EPS)?,
            linear_1: weights.at("linear_1").linear(width, config.low_width, false)?,
            linear_2: weights.at("linear_2").linear(config.low_width, parts * width, false)?,
            parts,
        })
    }

    /// The tokens, and the gate, or the scale if there is none.
    pub fn forward(&self, x: &Tensor, time: &Time) -> Result<(Tensor, Tensor)> {
        let own = self.linear_2.forward(&self.linear_1.forward(&time.active)?)?;
        let by = (&own + time.sum.narrow(2, 0, own.dim(2)?)?)?.chunk(self.parts, 2)?;
        Ok((modulated(&self.norm, x, &by[0], &by[1])?, by[self.parts - 1].clone()))
    }
}

impl Attention {
    /// `inputs` are the channels of what is attended to.
    fn load(config: &Config, inputs: usize, weights: &Weights) -> Loaded<Attention> {
        let width = config.width();
        let linear = |name: &str, inputs| weights.at(name).linear(inputs, width, false);
        Ok(Attention {
            to_q: linear("to_q", width)?,
            to_k: linear("to_k", inputs)?,
            to_v: linear("to_v", inputs)?,
            to_out: linear("to_out.0", width)?,
            norm_q: weights.at("norm_q").rms_norm(config.depth, HEAD_EPS)?,
            norm_k: weights.at("norm_k").rms_norm(config.depth, HEAD_EPS)?,
            heads: config.heads,
            kernels: weights.kernels(),
        })
    }

    fn forward(&self, x: &Tensor, to: &Tensor, rotary: Option<&Rotary>) -> Result<Tensor> {
        let turned = |norm: &RmsNorm, h: Tensor| {
            let h = normalised(norm, &h, self.heads)?;
            rotary.map_or(Ok(h.clone()), |rotary| rotated(rotary, &h, self.heads))
        };
        let q = turned(&self.norm_q, self.to_q.forward(x)?)?;
        let k = turned(&self.norm_k, self.to_k.forward(to)?)?;
        let v = self.to_v.forward(to)?;
        self.to_out.forward(&self.kernels.attention(&q, &k, &v, self.heads, Mask::None)?)
    }
}
