//! A block of Z-Image's transformer: attention and a gated feed-forward, each between two norms, scaled and gated by the
//! time.
//!
//! Formulas and tensor names are those of diffusers' `ZImageTransformerBlock`.

use super::config::Config;
use crate::error::ModelError;
use crate::models::rotary::Rotary;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, Linear, Mask, RmsNorm};

/// `eps` of the norms of queries and keys.
const HEAD_EPS: f64 = 1e-5;

pub(super) struct Block {
    attention_norm1: RmsNorm,
    attention_norm2: RmsNorm,
    ffn_norm1: RmsNorm,
    ffn_norm2: RmsNorm,
    attention: Attention,
    w1: Linear,
    w2: Linear,
    w3: Linear,
    /// `None` in the blocks of the caption, which the time does not change.
    modulation: Option<Linear>,
    kernels: &'static dyn Kernels,
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
    pub fn load(
        config: &Config,
        weights: &Weights,
        modulated: bool,
    ) -> std::result::Result<Block, ModelError> {
        let width = config.width;
        // int(dim / 3 * 8), in Python's floats.
        let inner = (width as f64 / 3.0 * 8.0) as usize;
        let norm = |name: &str| weights.at(name).rms_norm(width, config.eps);
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        let modulation = || weights.at("adaLN_modulation.0").linear(config.time_width(), 4 * width, true);
        Ok(Block {
            attention_norm1: norm("attention_norm1")?,
            attention_norm2: norm("attention_norm2")?,
            ffn_norm1: norm("ffn_norm1")?,
            ffn_norm2: norm("ffn_norm2")?,
            attention: Attention::load(config, &weights.at("attention"))?,
            w1: linear("feed_forward.w1", width, inner)?,
            w2: linear("feed_forward.w2", inner, width)?,
            w3: linear("feed_forward.w3", width, inner)?,
            modulation: if modulated { Some(modulation()?) } else { None },
            kernels: weights.kernels(),
        })
    }

    /// Tokens `[B, count, width]`; `time` is `[B, 1, time_width]`.
    pub fn forward(&self, x: &Tensor, rotary: &Rotary, time: &Tensor) -> Result<Tensor> {
        let Some(modulation) = &self.modulation else {
            let h = self.attention.forward(&self.attention_norm1.forward(x)?, rotary)?;
            let x = (x + self.attention_norm2.forward(&h)?)?;
            let h = self.feed_forward(&self.ffn_norm1.forward(&x)?)?;
            return &x + self.ffn_norm2.forward(&h)?;
        };
        let parts = modulation.forward(time)?.chunk(4, 2)?;
        let (scale, gate) = (|at: usize| &parts[at] + 1.0, |at: usize| parts[at].tanh());
        let h = self.attention_norm1.forward(x)?.broadcast_mul(&scale(0)?)?;
        let h = self.attention.forward(&h, rotary)?;
        let x = (x + self.attention_norm2.forward(&h)?.broadcast_mul(&gate(1)?)?)?;
        let h = self.ffn_norm1.forward(&x)?.broadcast_mul(&scale(2)?)?;
        let h = self.feed_forward(&h)?;
        &x + self.ffn_norm2.forward(&h)?.broadcast_mul(&gate(3)?)?
    }

    fn feed_forward(&self, x: &Tensor) -> Result<Tensor> {
        self.w2.forward(&(self.kernels.silu(&self.w1.forward(x)?)? * self.w3.forward(x)?)?)
    }
}

impl Attention {
    fn load(config: &Config, weights: &Weights) -> std::result::Result<Attention, ModelError> {
        let (width, depth) = (config.width, config.width / config.heads);
        let linear = |name: &str| weights.at(name).linear(width, width, false);
        Ok(Attention {
            to_q: linear("to_q")?,
            to_k: linear("to_k")?,
            to_v: linear("to_v")?,
            to_out: linear("to_out.0")?,
            norm_q: weights.at("norm_q").rms_norm(depth, HEAD_EPS)?,
            norm_k: weights.at("norm_k").rms_norm(depth, HEAD_EPS)?,
            heads: config.heads,
            kernels: weights.kernels(),
        })
    }

    fn forward(&self, x: &Tensor, rotary: &Rotary) -> Result<Tensor> {
        let (batch, tokens, width) = x.dims3()?;
        let turned = |h: Tensor, norm: &RmsNorm| {
            let h = norm.forward(&h.reshape((batch, tokens, self.heads, width / self.heads))?)?;
            rotary.rotate(&h)?.reshape((batch, tokens, width))
        };
        let q = turned(self.to_q.forward(x)?, &self.norm_q)?;
        let k = turned(self.to_k.forward(x)?, &self.norm_k)?;
        let v = self.to_v.forward(x)?;
        self.to_out.forward(&self.kernels.attention(&q, &k, &v, self.heads, Mask::None)?)
    }
}
