//! A block of Stable Diffusion 3's transformer.
//!
//! Formulas and tensor names are those of diffusers' `JointTransformerBlock`.

use super::config::{Config, EPS};
use crate::error::ModelError;
use crate::models::tokens::{modulated, normalised};
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// The kinds of blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ordinary,
    /// The picture also attends to itself alone (MMDiT-X).
    Dual,
    /// The text is not needed afterwards.
    Last,
}

pub(super) struct Block {
    norm: LayerNorm,
    picture: Stream,
    text: Stream,
    /// Of the picture alone.
    attn2: Option<Stream>,
    heads: usize,
    kernels: &'static dyn Kernels,
}

/// The weights of the picture, or of the text.
struct Stream {
    modulation: Option<Linear>,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    norms: Option<[RmsNorm; 2]>,
    to_out: Option<Linear>,
    feed_forward: Option<[Linear; 2]>,
}

/// The names of a stream's layers.
struct Names {
    modulation: Option<(&'static str, usize)>,
    projections: [&'static str; 3],
    norms: [&'static str; 2],
    out: Option<&'static str>,
    feed_forward: Option<&'static str>,
}

/// The parts of a modulation by the embedding of the time, `[B, 1, width]` each.
pub(super) fn parts<const N: usize>(modulation: &Linear, condition: &Tensor) -> Result<[Tensor; N]> {
    let parts = modulation.forward(condition)?.chunk(N, 2)?;
    <[Tensor; N]>::try_from(parts)
        .map_err(|parts| candle_core::Error::Msg(format!("a modulation has {} parts, not {N}", parts.len())))
}

impl Block {
    pub fn load(config: &Config, weights: &Weights, kind: Kind) -> Loaded<Block> {
        let (last, dual) = (kind == Kind::Last, kind == Kind::Dual);
        let picture = Names {
            modulation: Some(("norm1.linear", if dual { 9 } else { 6 })),
            projections: ["attn.to_q", "attn.to_k", "attn.to_v"],
            norms: ["attn.norm_q", "attn.norm_k"],
            out: Some("attn.to_out.0"),
            feed_forward: Some("ff"),
        };
        let text = Names {
            modulation: Some(("norm1_context.linear", if last { 2 } else { 6 })),
            projections: ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
            norms: ["attn.norm_added_q", "attn.norm_added_k"],
            out: (!last).then_some("attn.to_add_out"),
            feed_forward: (!last).then_some("ff_context"),
        };
        let second = Names {
            modulation: None,
            projections: ["attn2.to_q", "attn2.to_k", "attn2.to_v"],
            norms: ["attn2.norm_q", "attn2.norm_k"],
            out: Some("attn2.to_out.0"),
            feed_forward: None,
        };
        Ok(Block {
            norm: weights.plain_norm(config.width(), EPS)?,
            picture: Stream::load(config, weights, &picture)?,
            text: Stream::load(config, weights, &text)?,
            attn2: if dual { Some(Stream::load(config, weights, &second)?) } else { None },
            heads: config.heads,
            kernels: weights.kernels(),
        })
    }

    /// Patches and tokens of the text, `[B, count, width]` each; `condition` is `[B, 1, width]`.
    pub fn forward(&self, x: &Tensor, text: &Tensor, condition: &Tensor) -> Result<(Tensor, Tensor)> {
        let (patches, tokens) = (x.dim(1)?, text.dim(1)?);
        let (mut picture, mut second) = (None, None);
        if self.attn2.is_some() {
            let all: [Tensor; 9] = self.picture.parts(condition)?;
            let [shift, scale, gate, shift_ff, scale_ff, gate_ff, shift2, scale2, gate2] = all;
            second = Some((modulated(&self.norm, x, &shift2, &scale2)?, gate2));
            picture = Some([shift, scale, gate, shift_ff, scale_ff, gate_ff]);
        }
        let [shift, scale, gate, shift_ff, scale_ff, gate_ff] = match picture {
            Some(parts) => parts,
            None => self.picture.parts(condition)?,
        };
        let of_picture = self.picture.project(&modulated(&self.norm, x, &shift, &scale)?, self.heads)?;
        let (of_text, of_context) = match self.text.to_out {
            None => {
                let [scale, shift] = self.text.parts(condition)?;
                (modulated(&self.norm, text, &shift, &scale)?, None)
            }
            Some(_) => {
                let all: [Tensor; 6] = self.text.parts(condition)?;
                (modulated(&self.norm, text, &all[0], &all[1])?, Some(all))
            }
        };
        let of_text = self.text.project(&of_text, self.heads)?;
        let join = |at: usize| Tensor::cat(&[&of_picture[at], &of_text[at]], 1);
        let h = self.kernels.attention(&join(0)?, &join(1)?, &join(2)?, self.heads, Mask::None)?;

        let attended = self.picture.out(&h.narrow(1, 0, patches)?.contiguous()?)?;
        let mut x = (x + attended.broadcast_mul(&gate)?)?;
        if let (Some(attn2), Some((normalised, gate))) = (&self.attn2, second) {
            let [q, k, v] = attn2.project(&normalised, self.heads)?;
            let alone = self.kernels.attention(&q, &k, &v, self.heads, Mask::None)?;
            x = (x + attn2.out(&alone)?.broadcast_mul(&gate)?)?;
        }
        let fed = self.picture.feed(&modulated(&self.norm, &x, &shift_ff, &scale_ff)?)?;
        let x = (&x + fed.broadcast_mul(&gate_ff)?)?;

        let Some([_, _, gate, shift_ff, scale_ff, gate_ff]) = of_context else {
            return Ok((x, text.clone()));
        };
        let attended = self.text.out(&h.narrow(1, patches, tokens)?.contiguous()?)?;
        let text = (text + attended.broadcast_mul(&gate)?)?;
        let fed = self.text.feed(&modulated(&self.norm, &text, &shift_ff, &scale_ff)?)?;
        let text = (&text + fed.broadcast_mul(&gate_ff)?)?;
        Ok((x, text))
    }
}

impl Stream {
    fn load(config: &Config, weights: &Weights, names: &Names) -> Loaded<Stream> {
        let width = config.width();
        let linear = |name: &str, outputs: usize| weights.at(name).linear(width, outputs, true);
        let [to_q, to_k, to_v] = names.projections;
        let norm = |name: &str| weights.at(name).rms_norm(config.depth, EPS);
        let modulation = names.modulation.map(|(name, parts)| linear(name, parts * width)).transpose()?;
        let feed_forward = |name: &str| {
            let second = weights.at(format!("{name}.net.2")).linear(4 * width, width, true)?;
            Ok::<_, ModelError>([linear(&format!("{name}.net.0.proj"), 4 * width)?, second])
        };
        let norms = || Ok::<_, ModelError>([norm(names.norms[0])?, norm(names.norms[1])?]);
        Ok(Stream {
            modulation,
            to_q: linear(to_q, width)?,
            to_k: linear(to_k, width)?,
            to_v: linear(to_v, width)?,
            norms: if config.normalised { Some(norms()?) } else { None },
            to_out: names.out.map(|name| linear(name, width)).transpose()?,
            feed_forward: names.feed_forward.map(feed_forward).transpose()?,
        })
    }

    fn parts<const N: usize>(&self, condition: &Tensor) -> Result<[Tensor; N]> {
        match &self.modulation {
            Some(modulation) => parts(modulation, condition),
            None => candle_core::bail!("a stream without a modulation"),
        }
    }

    /// Queries, keys and values, `[B, count, width]` each.
    fn project(&self, x: &Tensor, heads: usize) -> Result<[Tensor; 3]> {
        let with_norm = |h: Tensor, at: usize| match &self.norms {
            Some(norms) => normalised(&norms[at], &h, heads),
            None => Ok(h),
        };
        let (q, k) = (with_norm(self.to_q.forward(x)?, 0)?, with_norm(self.to_k.forward(x)?, 1)?);
        Ok([q, k, self.to_v.forward(x)?])
    }

    fn out(&self, x: &Tensor) -> Result<Tensor> {
        self.to_out.as_ref().map_or_else(|| Ok(x.clone()), |to_out| to_out.forward(x))
    }

    /// Two layers with the tanh approximation of GELU between them.
    fn feed(&self, x: &Tensor) -> Result<Tensor> {
        match &self.feed_forward {
            Some([first, second]) => second.forward(&first.forward(x)?.gelu()?),
            None => Ok(x.clone()),
        }
    }
}
