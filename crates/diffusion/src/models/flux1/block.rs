//! The two kinds of blocks of FLUX.1's and Chroma's transformer.
//!
//! Formulas and tensor names are those of diffusers' `FluxTransformerBlock`, `FluxSingleTransformerBlock` and their counterparts in
//! `transformer_chroma.py`.

use super::config::{Config, DOUBLE, EPS, SINGLE};
use super::modulation::Modulation;
use crate::error::ModelError;
use crate::models::rotary::Rotary;
use crate::models::tokens::{modulated, normalised, rotated};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// Channels within a feed-forward layer, in widths.
const INNER: usize = 4;

/// Picture and text with weights of their own, which attend to each other.
pub(super) struct Double {
    norm: LayerNorm,
    picture: Stream,
    text: Stream,
    heads: usize,
    kernels: &'static dyn Kernels,
}

struct Stream {
    modulation: Modulation,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    to_out: Linear,
    feed_forward: [Linear; 2],
}

/// Attention and feed-forward side by side.
pub(super) struct Single {
    norm: LayerNorm,
    modulation: Modulation,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    proj_mlp: Linear,
    proj_out: Linear,
    heads: usize,
    kernels: &'static dyn Kernels,
}

impl Double {
    /// The block with that number.
    pub fn load(config: &Config, weights: &Weights, number: usize) -> Loaded<Double> {
        let of_picture = SINGLE * config.single_layers + DOUBLE * number;
        let of_text = of_picture + DOUBLE * config.layers;
        let picture = ["to_q", "to_k", "to_v", "norm_q", "norm_k", "to_out.0"];
        let text = ["add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k", "to_add_out"];
        Ok(Double {
            norm: weights.plain_norm(config.width(), EPS)?,
            picture: Stream::load(config, weights, ("norm1.linear", of_picture), picture, "ff")?,
            text: Stream::load(config, weights, ("norm1_context.linear", of_text), text, "ff_context")?,
            heads: config.heads,
            kernels: weights.kernels(),
        })
    }

    /// Patches and tokens of the text; `condition` is that of [`Modulation::of`].
    pub fn forward(
        &self,
        x: &Tensor,
        text: &Tensor,
        condition: &Tensor,
        rotary: &Rotary,
    ) -> Result<(Tensor, Tensor)> {
        let (patches, tokens) = (x.dim(1)?, text.dim(1)?);
        // Shift, scale and gate of attention and of feed-forward.
        let by = |stream: &Stream| stream.modulation.of(condition);
        let (of_picture, of_text) = (by(&self.picture)?, by(&self.text)?);
        let first = |stream: &Stream, x: &Tensor, by: &[Tensor]| {
            stream.project(&modulated(&self.norm, x, &by[0], &by[1])?, self.heads)
        };
        let (x_all, text_all) = (first(&self.picture, x, &of_picture)?, first(&self.text, text, &of_text)?);
        let join = |at: usize| Tensor::cat(&[&text_all[at], &x_all[at]], 1);
        let (q, k) = (rotated(rotary, &join(0)?, self.heads)?, rotated(rotary, &join(1)?, self.heads)?);
        let h = self.kernels.attention(&q, &k, &join(2)?, self.heads, Mask::None)?;
        let rest = |stream: &Stream, x: &Tensor, h: Tensor, by: &[Tensor]| {
            let x = (x + stream.to_out.forward(&h.contiguous()?)?.broadcast_mul(&by[2])?)?;
            let fed = stream.feed(&modulated(&self.norm, &x, &by[3], &by[4])?)?;
            &x + fed.broadcast_mul(&by[5])?
        };
        let text = rest(&self.text, text, h.narrow(1, 0, tokens)?, &of_text)?;
        Ok((rest(&self.picture, x, h.narrow(1, tokens, patches)?, &of_picture)?, text))
    }
}

impl Stream {
    fn load(
        config: &Config,
        weights: &Weights,
        (name, start): (&str, usize),
        names: [&str; 6],
        feed_forward: &str,
    ) -> Loaded<Stream> {
        let width = config.width();
        let linear = |name: String, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        let attention = |name: &str| linear(format!("attn.{name}"), width, width);
        let norm = |name: &str| weights.at(format!("attn.{name}")).rms_norm(config.depth, EPS);
        let [to_q, to_k, to_v, norm_q, norm_k, to_out] = names;
        Ok(Stream {
            modulation: Modulation::load(config, weights, name, start, DOUBLE)?,
            to_q: attention(to_q)?,
            to_k: attention(to_k)?,
            to_v: attention(to_v)?,
            norm_q: norm(norm_q)?,
            norm_k: norm(norm_k)?,
            to_out: attention(to_out)?,
            feed_forward: [
                linear(format!("{feed_forward}.net.0.proj"), width, INNER * width)?,
                linear(format!("{feed_forward}.net.2"), INNER * width, width)?,
            ],
        })
    }

    /// Queries, keys and values, `[B, count, width]` each.
    fn project(&self, x: &Tensor, heads: usize) -> Result<[Tensor; 3]> {
        let q = normalised(&self.norm_q, &self.to_q.forward(x)?, heads)?;
        let k = normalised(&self.norm_k, &self.to_k.forward(x)?, heads)?;
        Ok([q, k, self.to_v.forward(x)?])
    }

    /// Two layers with the tanh approximation of GELU between them.
    fn feed(&self, x: &Tensor) -> Result<Tensor> {
        self.feed_forward[1].forward(&self.feed_forward[0].forward(x)?.gelu()?)
    }
}

impl Single {
    /// The block with that number.
    pub fn load(config: &Config, weights: &Weights, number: usize) -> Loaded<Single> {
        let width = config.width();
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        let norm = |name: &str| weights.at(name).rms_norm(config.depth, EPS);
        Ok(Single {
            norm: weights.plain_norm(width, EPS)?,
            modulation: Modulation::load(config, weights, "norm.linear", SINGLE * number, SINGLE)?,
            to_q: linear("attn.to_q", width, width)?,
            to_k: linear("attn.to_k", width, width)?,
            to_v: linear("attn.to_v", width, width)?,
            norm_q: norm("attn.norm_q")?,
            norm_k: norm("attn.norm_k")?,
            proj_mlp: linear("proj_mlp", width, INNER * width)?,
            proj_out: linear("proj_out", (1 + INNER) * width, width)?,
            heads: config.heads,
            kernels: weights.kernels(),
        })
    }

    /// Text and picture in one sequence; `condition` is that of [`Modulation::of`].
    pub fn forward(&self, x: &Tensor, condition: &Tensor, rotary: &Rotary) -> Result<Tensor> {
        let by = self.modulation.of(condition)?;
        let h = modulated(&self.norm, x, &by[0], &by[1])?;
        let turned = |layer: &Linear, norm: &RmsNorm| {
            rotated(rotary, &normalised(norm, &layer.forward(&h)?, self.heads)?, self.heads)
        };
        let (q, k) = (turned(&self.to_q, &self.norm_q)?, turned(&self.to_k, &self.norm_k)?);
        let attended = self.kernels.attention(&q, &k, &self.to_v.forward(&h)?, self.heads, Mask::None)?;
        let fed = self.proj_mlp.forward(&h)?.gelu()?;
        let h = self.proj_out.forward(&Tensor::cat(&[attended, fed], 2)?)?;
        x + h.broadcast_mul(&by[2])?
    }
}
