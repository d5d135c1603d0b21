//! The UNet's transformer: self-attention among the positions of an image, then cross-attention to the text.
//!
//! diffusers' `Transformer2DModel` with `BasicTransformerBlock`. Not here: gated, masked or double attention.

use super::config::{BlockShape, UnetConfig};
use super::ip_adapter::ImagePrompt;
use crate::error::ModelError;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Activation, GroupNorm, Kernels, LayerNorm, Linear, Mask, checkpoint};

type Loaded<T> = std::result::Result<T, ModelError>;

/// `eps` of the norm before the transformer and of those inside (diffusers, `transformer_2d.py`, `attention.py`).
const GROUP_EPS: f64 = 1e-6;
const LAYER_EPS: f64 = 1e-5;

pub(super) struct Transformer {
    norm: GroupNorm,
    proj_in: Linear,
    layers: Vec<Layer>,
    proj_out: Linear,
}

#[derive(Clone)]
struct Layer {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff_in: Linear,
    ff_out: Linear,
}

#[derive(Clone)]
struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: usize,
    kernels: &'static dyn Kernels,
    /// Its number among the UNet's cross-attentions.
    number: usize,
}

/// What a UNet's transformers attend to.
pub(super) struct Context<'a> {
    /// `[B, tokens, text_width]`
    pub text: Tensor,
    /// A picture, through an IP-Adapter.
    pub image: Option<&'a ImagePrompt<'a>>,
}

impl Transformer {
    pub(super) fn load(
        config: &UnetConfig,
        shape: &BlockShape,
        depth: usize,
        weights: &Weights,
    ) -> Loaded<Transformer> {
        let width = shape.width;
        let layer = |i: usize| {
            let weights = weights.at(format!("transformer_blocks.{i}"));
            let norm = |name: &str| weights.at(name).layer_norm(width, LAYER_EPS);
            Ok(Layer {
                norm1: norm("norm1")?,
                attn1: Attention::load(width, width, shape.heads, &weights.at("attn1"))?,
                norm2: norm("norm2")?,
                attn2: Attention::load(width, config.text_width, shape.heads, &weights.at("attn2"))?,
                norm3: norm("norm3")?,
                ff_in: weights.at("ff.net.0.proj").linear(width, 8 * width, true)?,
                ff_out: weights.at("ff.net.2").linear(4 * width, width, true)?,
            })
        };
        Ok(Transformer {
            norm: weights.at("norm").group_norm(width, config.groups, GROUP_EPS)?,
            proj_in: weights.at("proj_in").linear(width, width, true)?,
            layers: (0..depth).map(layer).collect::<Loaded<_>>()?,
            proj_out: weights.at("proj_out").linear(width, width, true)?,
        })
    }

    /// Numbers its cross-attentions; `widths` has the widths of those before them, and gets theirs.
    pub(super) fn number(&mut self, width: usize, widths: &mut Vec<usize>) {
        for layer in &mut self.layers {
            layer.attn2.number = widths.len();
            widths.push(width);
        }
    }

    pub(super) fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let h = self.norm.forward(x, Activation::None)?;
        let mut h = self.proj_in.image_to_tokens(&h)?;
        for layer in &self.layers {
            h = match context.image {
                Some(_) => layer.forward(&h, &context.text, context.image)?,
                None => checkpoint(layer, (h, context.text.clone()), |layer, (h, text)| {
                    layer.forward(h, text, None)
                })?,
            };
        }
        self.proj_out.tokens_to_image(&h, x)
    }
}

impl Layer {
    fn forward(&self, h: &Tensor, text: &Tensor, image: Option<&ImagePrompt>) -> Result<Tensor> {
        let n = self.norm1.forward(h)?;
        let h = self.attn1.forward(&n, &n, None, h)?;
        let n = self.norm2.forward(&h)?;
        let h = self.attn2.forward(&n, text, image, &h)?;
        let n = self.norm3.forward(&h)?;
        self.ff_out.forward_add(&self.ff_in.forward_geglu(&n)?, &h)
    }
}

impl Attention {
    fn load(width: usize, context: usize, heads: usize, weights: &Weights) -> Loaded<Attention> {
        Ok(Attention {
            to_q: weights.at("to_q").linear(width, width, false)?,
            to_k: weights.at("to_k").linear(context, width, false)?,
            to_v: weights.at("to_v").linear(context, width, false)?,
            to_out: weights.at("to_out.0").linear(width, width, true)?,
            heads,
            kernels: weights.kernels(),
            number: 0,
        })
    }

    /// Attention of `x` to `context` and to a picture, plus `residual`.
    fn forward(
        &self,
        x: &Tensor,
        context: &Tensor,
        image: Option<&ImagePrompt>,
        residual: &Tensor,
    ) -> Result<Tensor> {
        let q = self.to_q.forward(x)?;
        let k = self.to_k.forward(context)?;
        let v = self.to_v.forward(context)?;
        let mut h = self.kernels.attention(&q, &k, &v, self.heads, Mask::None)?;
        if let Some(image) = image {
            h = (h + image.attend(self.number, &q, self.heads)?)?;
        }
        self.to_out.forward_add(&h, residual)
    }
}
