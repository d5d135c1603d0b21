//! The transformer layers of CLIP, the same in its text encoder and its vision tower.
//!
//! Formulas and tensor names are those of transformers' `CLIPEncoder`. Not here: the layers before and after them.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, LayerNorm, Linear, Mask};
use std::ops::Range;

/// A stack of transformer layers.
pub(crate) struct ClipLayers {
    layers: Vec<Layer>,
    heads: usize,
    activation: Activation,
    kernels: &'static dyn Kernels,
    /// Channels of a token.
    pub width: usize,
    /// `layer_norm_eps`, also of the norms around the stack.
    pub eps: f64,
}

struct Layer {
    norm1: LayerNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

#[derive(Clone, Copy)]
enum Activation {
    QuickGelu,
    Gelu,
}

/// Sizes for absent keys of a configuration: the defaults of transformers' class.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    pub width: usize,
    pub inner: usize,
    pub heads: usize,
}

impl ClipLayers {
    /// The layers below `encoder.layers`.
    pub fn load(
        config: &ConfigFile,
        defaults: Defaults,
        weights: &Weights,
    ) -> std::result::Result<ClipLayers, ModelError> {
        let width = config.count("hidden_size", Some(defaults.width))?;
        let inner = config.count("intermediate_size", Some(defaults.inner))?;
        let heads = config.count("num_attention_heads", Some(defaults.heads))?;
        if !width.is_multiple_of(heads) {
            return Err(config.refuse("num_attention_heads", format!("a divisor of hidden_size, {width}")));
        }
        let activation = match config.get("hidden_act").map(|value| value.as_str()) {
            None | Some(Some("quick_gelu")) => Activation::QuickGelu,
            Some(Some("gelu")) => Activation::Gelu,
            Some(_) => return Err(config.refuse("hidden_act", "\"quick_gelu\" or \"gelu\"")),
        };
        let eps = config.number("layer_norm_eps", 1e-5)?;
        let layer = |i: usize| {
            let weights = weights.at(format!("encoder.layers.{i}"));
            let attention =
                |name: &str| weights.at(format!("self_attn.{name}_proj")).linear(width, width, true);
            Ok(Layer {
                norm1: weights.at("layer_norm1").layer_norm(width, eps)?,
                to_q: attention("q")?,
                to_k: attention("k")?,
                to_v: attention("v")?,
                to_out: attention("out")?,
                norm2: weights.at("layer_norm2").layer_norm(width, eps)?,
                fc1: weights.at("mlp.fc1").linear(width, inner, true)?,
                fc2: weights.at("mlp.fc2").linear(inner, width, true)?,
            })
        };
        let count = config.count("num_hidden_layers", Some(12))?;
        let layers = (0..count).map(layer).collect::<std::result::Result<_, _>>()?;
        Ok(ClipLayers { layers, heads, activation, kernels: weights.kernels(), width, eps })
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Tokens `[B, count, width]` after the first `layers` layers.
    pub fn forward(&self, tokens: Tensor, layers: usize, mask: Mask) -> Result<Tensor> {
        self.forward_through(tokens, 0..layers, mask)
    }

    /// Tokens after these layers, given the tokens before them.
    pub fn forward_through(&self, tokens: Tensor, layers: Range<usize>, mask: Mask) -> Result<Tensor> {
        let mut x = tokens;
        for layer in &self.layers[layers] {
            let h = layer.norm1.forward(&x)?;
            let (q, k, v) = (layer.to_q.forward(&h)?, layer.to_k.forward(&h)?, layer.to_v.forward(&h)?);
            let h = self.kernels.attention(&q, &k, &v, self.heads, mask)?;
            x = layer.to_out.forward_add(&h, &x)?;
            let h = layer.fc1.forward(&layer.norm2.forward(&x)?)?;
            let h = match self.activation {
                Activation::QuickGelu => self.kernels.quick_gelu(&h)?,
                Activation::Gelu => self.kernels.gelu(&h)?,
            };
            x = layer.fc2.forward_add(&h, &x)?;
        }
        Ok(x)
    }
}
