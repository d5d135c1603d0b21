//! A block in which picture and text have weights of their own and attend to each other, of FLUX.1, Chroma and Qwen-Image.
//!
//! Formulas and tensor names are those of diffusers' `FluxTransformerBlock`, `ChromaTransformerBlock` and
//! `QwenImageTransformerBlock`, which differ in the names of the feed-forward layers and in what the shifts, scales and gates come from.

use crate::error::ModelError;
use crate::models::rotary::Rotary;
use crate::models::tokens::{modulated, normalised, rotated};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// `eps` of every norm.
const EPS: f64 = 1e-6;
/// Channels within a feed-forward layer, in widths.
const INNER: usize = 4;

pub(super) struct DoubleBlock {
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
    feed_forward: [Linear; 2],
}

impl DoubleBlock {
    /// Of tokens with `width` channels, a multiple of `heads`; `feed_forward` names the layers of the picture and of the text.
    pub fn load(
        width: usize,
        heads: usize,
        weights: &Weights,
        feed_forward: [&str; 2],
    ) -> Loaded<DoubleBlock> {
        let picture = ["to_q", "to_k", "to_v", "norm_q", "norm_k", "to_out.0"];
        let text = ["add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k", "to_add_out"];
        Ok(DoubleBlock {
            norm: weights.plain_norm(width, EPS)?,
            picture: Stream::load(width, heads, weights, picture, feed_forward[0])?,
            text: Stream::load(width, heads, weights, text, feed_forward[1])?,
            heads,
            kernels: weights.kernels(),
        })
    }

    /// Patches and tokens of the text, `[B, count, width]` each. Picture and text have six modulations each, `[B, 1, width]`: shift,
    /// scale and gate of attention, then of feed-forward. `rotary` has the positions of the text, then of the picture.
    pub fn forward(
        &self,
        x: &Tensor,
        text: &Tensor,
        [of_picture, of_text]: [&[Tensor]; 2],
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
    fn load(
        width: usize,
        heads: usize,
        weights: &Weights,
        names: [&str; 6],
        feed_forward: &str,
    ) -> Loaded<Stream> {
        let linear = |name: String, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        let attention = |name: &str| linear(format!("attn.{name}"), width, width);
        let norm = |name: &str| weights.at(format!("attn.{name}")).rms_norm(width / heads, EPS);
        let [to_q, to_k, to_v, norm_q, norm_k, to_out] = names;
        Ok(Stream {
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
