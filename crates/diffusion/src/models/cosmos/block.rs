//! A block of Cosmos-Predict2's transformer: attention, attention to the text, a feed-forward, each shifted, scaled and gated by
//! the time.
//!
//! Formulas and tensor names are those of diffusers' `CosmosTransformerBlock`, `CosmosAdaLayerNormZero` and
//! `CosmosAdaLayerNorm`.

use super::config::Config;
use crate::error::ModelError;
use crate::models::attention::Attention;
use crate::models::rotary::Rotary;
use crate::models::tokens::modulated;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear};

type Loaded<T> = std::result::Result<T, ModelError>;

/// `eps` of the norms of tokens.
const EPS: f64 = 1e-6;

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

impl Block {
    pub fn load(config: &Config, weights: &Weights) -> Loaded<Block> {
        let width = config.width();
        let norm = |name: &str| Modulated::load(config, &weights.at(name), 3);
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        let attention = |name: &str, inputs| Attention::load(width, inputs, config.heads, &weights.at(name));
        Ok(Block {
            norms: [norm("norm1")?, norm("norm2")?, norm("norm3")?],
            attention: attention("attn1", width)?,
            text_attention: attention("attn2", config.text_width)?,
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
