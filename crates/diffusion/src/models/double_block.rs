//! A block in which picture and text have weights of their own and attend to each other, of FLUX.1, FLUX.2, Chroma and Qwen-Image.
//!
//! Formulas and tensor names are those of diffusers' `FluxTransformerBlock`, `Flux2TransformerBlock`, `ChromaTransformerBlock` and
//! `QwenImageTransformerBlock`, which differ in the feed-forward layers and in what the shifts, scales and gates come from.

use crate::error::ModelError;
use crate::models::rotary::Rotary;
use crate::models::tokens::{modulated, normalised, rotated};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// Channels within the feed-forward layers of [`FeedForward::gelu`], in widths.
const INNER: usize = 4;

/// The shape of a block.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Channels of a token, a multiple of `heads`.
    pub width: usize,
    pub heads: usize,
    /// `eps` of every norm.
    pub eps: f64,
    /// Whether the layers of attention have biases.
    pub bias: bool,
}

/// What follows attention in a stream: a layer, an activation, another layer.
pub(super) struct FeedForward {
    pub first: Linear,
    pub second: Linear,
    pub activation: Activation,
}

pub(super) type Activation = fn(&dyn Kernels, &Tensor) -> Result<Tensor>;

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
    feed_forward: FeedForward,
    kernels: &'static dyn Kernels,
}

impl FeedForward {
    /// Layers with the tanh approximation of GELU between them, below these weights.
    pub fn gelu(width: usize, weights: &Weights) -> Loaded<FeedForward> {
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        Ok(FeedForward {
            first: linear("net.0.proj", width, INNER * width)?,
            second: linear("net.2", INNER * width, width)?,
            activation: |_, x| x.gelu(),
        })
    }
}

impl DoubleBlock {
    /// `feed_forward` has the layers of the picture and of the text.
    pub fn load(shape: Shape, weights: &Weights, feed_forward: [FeedForward; 2]) -> Loaded<DoubleBlock> {
        let [of_picture, of_text] = feed_forward;
        let picture = ["to_q", "to_k", "to_v", "norm_q", "norm_k", "to_out.0"];
        let text = ["add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k", "to_add_out"];
        Ok(DoubleBlock {
            norm: weights.plain_norm(shape.width, shape.eps)?,
            picture: Stream::load(shape, weights, picture, of_picture)?,
            text: Stream::load(shape, weights, text, of_text)?,
            heads: shape.heads,
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
        Shape { width, heads, eps, bias }: Shape,
        weights: &Weights,
        names: [&str; 6],
        feed_forward: FeedForward,
    ) -> Loaded<Stream> {
        let attention = |name: &str| weights.at(format!("attn.{name}")).linear(width, width, bias);
        let norm = |name: &str| weights.at(format!("attn.{name}")).rms_norm(width / heads, eps);
        let [to_q, to_k, to_v, norm_q, norm_k, to_out] = names;
        Ok(Stream {
            to_q: attention(to_q)?,
            to_k: attention(to_k)?,
            to_v: attention(to_v)?,
            norm_q: norm(norm_q)?,
            norm_k: norm(norm_k)?,
            to_out: attention(to_out)?,
            feed_forward,
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
        let FeedForward { first, second, activation } = &self.feed_forward;
        second.forward(&activation(self.kernels, &first.forward(x)?)?)
    }
}
