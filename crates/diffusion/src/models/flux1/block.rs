//! The two kinds of blocks of FLUX.1's and Chroma's transformer.
//!
//! Formulas and tensor names are those of diffusers' `FluxTransformerBlock`, `FluxSingleTransformerBlock` and their counterparts in
//! `transformer_chroma.py`.

use super::config::{Config, DOUBLE, EPS, SINGLE};
use super::modulation::Modulation;
use crate::error::ModelError;
use crate::models::double_block::{DoubleBlock, FeedForward, Shape};
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
    modulations: [Modulation; 2],
    block: DoubleBlock,
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
        let width = config.width();
        let modulation = |name, start| Modulation::load(config, weights, name, start, DOUBLE);
        Ok(Double {
            modulations: [
                modulation("norm1.linear", of_picture)?,
                modulation("norm1_context.linear", of_text)?,
            ],
            block: DoubleBlock::load(
                Shape { width, heads: config.heads, eps: EPS, bias: true },
                weights,
                [
                    FeedForward::gelu(width, &weights.at("ff"))?,
                    FeedForward::gelu(width, &weights.at("ff_context"))?,
                ],
            )?,
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
        let [of_picture, of_text] = &self.modulations;
        let (of_picture, of_text) = (of_picture.of(condition)?, of_text.of(condition)?);
        self.block.forward(x, text, [&of_picture, &of_text], rotary)
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
