//! The two kinds of blocks of FLUX.2's transformer.
//!
//! Formulas and tensor names are those of diffusers' `Flux2TransformerBlock` and `Flux2SingleTransformerBlock`.

use super::config::Config;
use crate::error::ModelError;
use crate::models::rotary::Rotary;
use crate::models::tokens::{modulated, normalised, rotated};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// Picture and text with weights of their own, which attend to each other.
pub(super) struct Double {
    norm: LayerNorm,
    picture: Stream,
    text: Stream,
    heads: usize,
    kernels: &'static dyn Kernels,
}

struct Stream {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    to_out: Linear,
    linear_in: Linear,
    linear_out: Linear,
    kernels: &'static dyn Kernels,
}

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

impl Double {
    pub fn load(config: &Config, weights: &Weights) -> Loaded<Double> {
        let picture = ["to_q", "to_k", "to_v", "norm_q", "norm_k", "to_out.0"];
        let text = ["add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k", "to_add_out"];
        Ok(Double {
            norm: weights.plain_norm(config.width(), config.eps)?,
            picture: Stream::load(config, weights, picture, "ff")?,
            text: Stream::load(config, weights, text, "ff_context")?,
            heads: config.heads,
            kernels: weights.kernels(),
        })
    }

    /// Patches and tokens of the text, each with its modulation: shift, scale and gate of attention and of feed-forward.
    pub fn forward(
        &self,
        x: &Tensor,
        text: &Tensor,
        of_picture: &[Tensor],
        of_text: &[Tensor],
        rotary: &Rotary,
    ) -> Result<(Tensor, Tensor)> {
        let (patches, tokens) = (x.dim(1)?, text.dim(1)?);
        let first = |stream: &Stream, x: &Tensor, by: &[Tensor]| {
            stream.project(&modulated(&self.norm, x, &by[0], &by[1])?, self.heads)
        };
        let (x_all, text_all) = (first(&self.picture, x, of_picture)?, first(&self.text, text, of_text)?);
        let join = |at: usize| Tensor::cat(&[&text_all[at], &x_all[at]], 1);
        let (q, k) = (rotated(rotary, &join(0)?, self.heads)?, rotated(rotary, &join(1)?, self.heads)?);
        let h = self.kernels.attention(&q, &k, &join(2)?, self.heads, Mask::None)?;
        let rest = |stream: &Stream, x: &Tensor, h: Tensor, by: &[Tensor]| {
            let x = (x + stream.to_out.forward(&h.contiguous()?)?.broadcast_mul(&by[2])?)?;
            let fed = stream.feed(&modulated(&self.norm, &x, &by[3], &by[4])?)?;
            &x + fed.broadcast_mul(&by[5])?
        };
        let text = rest(&self.text, text, h.narrow(1, 0, tokens)?, of_text)?;
        Ok((rest(&self.picture, x, h.narrow(1, tokens, patches)?, of_picture)?, text))
    }
}

impl Stream {
    fn load(config: &Config, weights: &Weights, names: [&str; 6], feed_forward: &str) -> Loaded<Stream> {
        let (width, inner) = (config.width(), config.inner);
        let linear = |name: String, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        let attention = |name: &str| linear(format!("attn.{name}"), width, width);
        let norm = |name: &str| weights.at(format!("attn.{name}")).rms_norm(config.depth, config.eps);
        let [to_q, to_k, to_v, norm_q, norm_k, to_out] = names;
        Ok(Stream {
            to_q: attention(to_q)?,
            to_k: attention(to_k)?,
            to_v: attention(to_v)?,
            norm_q: norm(norm_q)?,
            norm_k: norm(norm_k)?,
            to_out: attention(to_out)?,
            linear_in: linear(format!("{feed_forward}.linear_in"), width, 2 * inner)?,
            linear_out: linear(format!("{feed_forward}.linear_out"), inner, width)?,
            kernels: weights.kernels(),
        })
    }

    /// Queries, keys and values, `[B, count, width]` each.
    fn project(&self, x: &Tensor, heads: usize) -> Result<[Tensor; 3]> {
        let q = normalised(&self.norm_q, &self.to_q.forward(x)?, heads)?;
        let k = normalised(&self.norm_k, &self.to_k.forward(x)?, heads)?;
        Ok([q, k, self.to_v.forward(x)?])
    }

    fn feed(&self, x: &Tensor) -> Result<Tensor> {
        self.linear_out.forward(&gated(self.kernels, &self.linear_in.forward(x)?)?)
    }
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
