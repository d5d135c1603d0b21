//! A block of Z-Image's transformer: attention and a gated feed-forward, each between two norms, scaled and gated by the
//! time.
//!
//! Formulas and tensor names are those of diffusers' `ZImageTransformerBlock`.

use super::config::Config;
use crate::error::ModelError;
use crate::models::attention::Attention;
use crate::models::rotary::Rotary;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, Linear, RmsNorm};

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
            attention: Attention::load(width, width, config.heads, &weights.at("attention"))?,
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
            let h = self.attention_norm1.forward(x)?;
            let h = self.attention.forward(&h, &h, Some(rotary))?;
            let x = (x + self.attention_norm2.forward(&h)?)?;
            let h = self.feed_forward(&self.ffn_norm1.forward(&x)?)?;
            return &x + self.ffn_norm2.forward(&h)?;
        };
        let parts = modulation.forward(time)?.chunk(4, 2)?;
        let (scale, gate) = (|at: usize| &parts[at] + 1.0, |at: usize| parts[at].tanh());
        let h = self.attention_norm1.forward(x)?.broadcast_mul(&scale(0)?)?;
        let h = self.attention.forward(&h, &h, Some(rotary))?;
        let x = (x + self.attention_norm2.forward(&h)?.broadcast_mul(&gate(1)?)?)?;
        let h = self.ffn_norm1.forward(&x)?.broadcast_mul(&scale(2)?)?;
        let h = self.feed_forward(&h)?;
        &x + self.ffn_norm2.forward(&h)?.broadcast_mul(&gate(3)?)?
    }

    fn feed_forward(&self, x: &Tensor) -> Result<Tensor> {
        self.w2.forward(&(self.kernels.silu(&self.w1.forward(x)?)? * self.w3.forward(x)?)?)
    }
}
