//! Attention of a transformer's tokens to each other or to a text, with queries and keys that are normalised by head.
//!
//! Tensor names and `eps` are those of diffusers' `Attention` in the blocks of Z-Image and Cosmos-Predict2.

use crate::error::ModelError;
use crate::models::rotary::Rotary;
use crate::models::tokens::{normalised, rotated};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, Linear, Mask, RmsNorm};

/// `eps` of the norms of queries and keys.
const EPS: f64 = 1e-5;

pub(super) struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    heads: usize,
    kernels: &'static dyn Kernels,
}

impl Attention {
    /// Of tokens with `width` channels, a multiple of `heads`, to what has `inputs` channels.
    pub fn load(
        width: usize,
        inputs: usize,
        heads: usize,
        weights: &Weights,
    ) -> std::result::Result<Attention, ModelError> {
        let linear = |name: &str, inputs| weights.at(name).linear(inputs, width, false);
        let norm = |name: &str| weights.at(name).rms_norm(width / heads, EPS);
        Ok(Attention {
            to_q: linear("to_q", width)?,
            to_k: linear("to_k", inputs)?,
            to_v: linear("to_v", inputs)?,
            to_out: linear("to_out.0", width)?,
            norm_q: norm("norm_q")?,
            norm_k: norm("norm_k")?,
            heads,
            kernels: weights.kernels(),
        })
    }

    /// What tokens `[B, count, width]` find in `to`, `[B, tokens, inputs]`; both are rotated by the same positions, or not at all.
    pub fn forward(&self, x: &Tensor, to: &Tensor, rotary: Option<&Rotary>) -> Result<Tensor> {
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
