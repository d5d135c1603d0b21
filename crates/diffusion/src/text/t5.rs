//! T5's encoder (Raffel et al., arXiv 1910.10683), version 1.1: one state for each token of a prompt.
//!
//! Formulas and tensor names are those of transformers' `T5EncoderModel`. It overflows in f16; families load it in bf16
//! instead. Not here: the decoder.

use crate::error::ModelError;
use crate::weights::config::ConfigFile;
use crate::weights::found::Table;
use crate::weights::tensors::Weights;
use candle_core::{D, DType, Result, Tensor};
use maquette_kernels::{Linear, RmsNorm};
use serde_json::json;

/// The encoder.
pub(crate) struct T5 {
    embedding: Table,
    /// `[buckets, heads]`: what is added to the scores of tokens at some distance, in every layer.
    bias: Tensor,
    layers: Vec<Layer>,
    final_norm: RmsNorm,
    buckets: usize,
    furthest: usize,
}

struct Layer {
    attention_norm: RmsNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    inner_norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    heads: usize,
}

/// The width of its states.
pub(crate) fn width(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("d_model", Some(512))
}

/// The size of its vocabulary.
pub(crate) fn vocabulary_size(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("vocab_size", Some(32_128))
}

/// Whether a file may have an unused tensor of that name: the embeddings once more.
pub(crate) fn is_spare(key: &str) -> bool {
    key == "encoder.embed_tokens.weight"
}

impl T5 {
    pub fn load(config: &ConfigFile, weights: &Weights) -> std::result::Result<T5, ModelError> {
        config.only("feed_forward_proj", &[json!("gated-gelu")])?;
        if config.get("feed_forward_proj").is_none() {
            return Err(config.refuse("feed_forward_proj", "\"gated-gelu\""));
        }
        let (width, eps) = (width(config)?, config.number("layer_norm_epsilon", 1e-6)?);
        let (depth, heads) = (config.count("d_kv", Some(64))?, config.count("num_heads", Some(8))?);
        let inner = config.count("d_ff", Some(2048))?;
        let buckets = config.count("relative_attention_num_buckets", Some(32))?;
        if !buckets.is_multiple_of(4) {
            return Err(config.refuse("relative_attention_num_buckets", "a multiple of 4"));
        }
        let layer = |i: usize| {
            let weights = weights.at(format!("encoder.block.{i}"));
            let norm = |name: &str| weights.at(name).rms_norm(width, eps);
            let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
            let attention = |name: &str| format!("layer.0.SelfAttention.{name}");
            let dense = |name: &str| format!("layer.1.DenseReluDense.{name}");
            Ok(Layer {
                attention_norm: norm("layer.0.layer_norm")?,
                to_q: linear(&attention("q"), width, heads * depth)?,
                to_k: linear(&attention("k"), width, heads * depth)?,
                to_v: linear(&attention("v"), width, heads * depth)?,
                to_out: linear(&attention("o"), heads * depth, width)?,
                inner_norm: norm("layer.1.layer_norm")?,
                gate: linear(&dense("wi_0"), width, inner)?,
                up: linear(&dense("wi_1"), width, inner)?,
                down: linear(&dense("wo"), inner, width)?,
                heads,
            })
        };
        let count = config.count("num_layers", Some(6))?;
        let bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
        Ok(T5 {
            embedding: weights.table("shared.weight", [vocabulary_size(config)?, width])?,
            bias: weights.tensor(bias, &[buckets, heads])?,
            layers: (0..count).map(layer).collect::<std::result::Result<_, ModelError>>()?,
            final_norm: weights.at("encoder.final_layer_norm").rms_norm(width, eps)?,
            buckets,
            furthest: config.count("relative_attention_max_distance", Some(128))?,
        })
    }

    /// The states of a prompt, `[1, ids, width]`. Every id takes part in attention, also padding.
    pub fn encode(&self, ids: &[u32]) -> Result<Tensor> {
        self.encode_attending(ids, ids.len())
    }

    /// The same with attention to the first `seen` ids alone, of which there is at least one.
    pub fn encode_attending(&self, ids: &[u32], seen: usize) -> Result<Tensor> {
        let (mut x, device) = (self.embedding.rows(ids)?.unsqueeze(0)?, self.embedding.device());
        let count = ids.len();
        let distances = (0..count * count).map(|at| (at % count) as i64 - (at / count) as i64);
        let buckets: Vec<u32> =
            distances.map(|distance| bucket(distance, self.buckets, self.furthest)).collect();
        let bias = self.bias.index_select(&Tensor::from_vec(buckets, count * count, device)?, 0)?;
        let bias =
            bias.reshape((count, count, ()))?.permute((2, 0, 1))?.unsqueeze(0)?.to_dtype(DType::F32)?;
        let mask: Vec<f32> = (0..count).map(|key| if key < seen { 0.0 } else { f32::NEG_INFINITY }).collect();
        let bias = bias.broadcast_add(&Tensor::from_vec(mask, (1, 1, 1, count), device)?)?;
        for layer in &self.layers {
            x = layer.forward(&x, &bias)?;
        }
        self.final_norm.forward(&x)
    }
}

/// The bucket of a distance from a query to a key, in both directions: half of each direction's buckets for the small
/// distances, the others evenly on a logarithmic scale up to `furthest`.
fn bucket(distance: i64, buckets: usize, furthest: usize) -> u32 {
    let half = buckets / 2;
    let exact = half / 2;
    let (first, size) = (if distance > 0 { half } else { 0 }, distance.unsigned_abs() as usize);
    if size < exact {
        return (first + size) as u32;
    }
    let share = (size as f32 / exact as f32).ln() / (furthest as f64 / exact as f64).ln() as f32;
    (first + (exact + (share * (half - exact) as f32) as usize).min(half - 1)) as u32
}

impl Layer {
    fn forward(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let h = self.attention_norm.forward(x)?;
        let split = |h: Tensor| {
            let (batch, count, width) = h.dims3()?;
            let heads = h.reshape((batch, count, self.heads, width / self.heads))?.transpose(1, 2)?;
            heads.contiguous()?.to_dtype(DType::F32)
        };
        let (q, k) = (split(self.to_q.forward(&h)?)?, split(self.to_k.forward(&h)?)?);
        let v = split(self.to_v.forward(&h)?)?;
        // The scores are not scaled.
        let scores = q.matmul(&k.t()?.contiguous()?)?.broadcast_add(bias)?;
        let powers = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let attended = powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?.matmul(&v)?;
        let attended = attended.transpose(1, 2)?.contiguous()?.flatten_from(2)?.to_dtype(x.dtype())?;
        let x = self.to_out.forward_add(&attended, x)?;
        let h = self.inner_norm.forward(&x)?;
        // GELU in its tanh approximation, T5's "gelu_new".
        let h = (self.gate.forward(&h)?.gelu()? * self.up.forward(&h)?)?;
        self.down.forward_add(&h, &x)
    }
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// `_relative_position_bucket(distance, True, 32, 128)` of transformers.
    #[test]
    fn distances_have_known_buckets() {
        let check = |distance, expected| assert_eq!(bucket(distance, 32, 128), expected, "{distance}");
        for (distance, expected) in
            [(0, 0), (1, 17), (-1, 1), (7, 23), (8, 24), (-8, 8), (20, 26), (-100, 15), (127, 31), (500, 31)]
        {
            check(distance, expected);
        }
    }
}
