//! Qwen3 as a text encoder: the states between its layers.
//!
//! Formulas and tensor names are those of transformers' `Qwen3Model`. Layers above the last state that is used and the output of
//! words are not loaded, and neither is the last norm, unless the whole model is. Not here: generating text.

use crate::error::ModelError;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::weights::config::ConfigFile;
use crate::weights::found::Table;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, Linear, Mask, RmsNorm};
use serde_json::json;

/// `eps` of all norms, unless the configuration says otherwise.
const EPS: f64 = 1e-6;

/// The lower layers of a Qwen3 model, or all of them with the last norm.
pub(crate) struct Qwen3 {
    embedding: Table,
    layers: Vec<Layer>,
    norm: Option<RmsNorm>,
    theta: f64,
    depth: usize,
}

struct Layer {
    input_norm: RmsNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    norm_q: RmsNorm,
    norm_k: RmsNorm,
    inner_norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    heads: usize,
    kernels: &'static dyn Kernels,
}

/// How many layers a configuration has.
pub(crate) fn layers(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("num_hidden_layers", Some(32))
}

/// The width of its states.
pub(crate) fn width(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("hidden_size", Some(4096))
}

/// The size of its vocabulary.
pub(crate) fn vocabulary_size(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("vocab_size", Some(151_936))
}

/// Whether a tensor is not used by the whole model.
pub(crate) fn is_spare_in_whole(key: &str) -> bool {
    key == "lm_head.weight"
}

/// Whether a tensor belongs to what is not used with `layers` layers.
pub(crate) fn is_spare(key: &str, layers: usize) -> bool {
    let key = key.strip_prefix("model.").unwrap_or(key);
    let number = key.strip_prefix("layers.").and_then(|key| key.split('.').next()?.parse::<usize>().ok());
    key == "norm.weight" || key == "lm_head.weight" || number.is_some_and(|number| number >= layers)
}

impl Qwen3 {
    /// Loads the embeddings and the first `count` layers.
    pub fn load(
        config: &ConfigFile,
        weights: &Weights,
        count: usize,
    ) -> std::result::Result<Qwen3, ModelError> {
        config.only("hidden_act", &[json!("silu")])?;
        for key in ["attention_bias", "use_sliding_window"] {
            config.only(key, &[json!(false)])?;
        }
        let weights = below(weights);
        let depth = config.count("head_dim", Some(128))?;
        if count > layers(config)? {
            return Err(config.refuse("num_hidden_layers", format!("at least {count}")));
        }
        let words = vocabulary_size(config)?;
        let layer = |i: usize| Layer::load(config, &weights.at(format!("layers.{i}")), depth);
        Ok(Qwen3 {
            embedding: weights.table("embed_tokens.weight", [words, width(config)?])?,
            layers: (0..count).map(layer).collect::<std::result::Result<_, _>>()?,
            norm: None,
            theta: theta(config)?,
            depth,
        })
    }

    /// Loads the embeddings, all layers, and the last norm.
    pub fn load_whole(config: &ConfigFile, weights: &Weights) -> std::result::Result<Qwen3, ModelError> {
        let eps = config.number("rms_norm_eps", EPS)?;
        let norm = below(weights).at("norm").rms_norm(width(config)?, eps)?;
        Ok(Qwen3 { norm: Some(norm), ..Qwen3::load(config, weights, layers(config)?)? })
    }

    /// The states of a prompt, `[1, ids, width]` each: `wanted` numbers them, from 0 for the embeddings, ascending.
    pub fn states(&self, ids: &[u32], wanted: &[usize]) -> Result<Vec<Tensor>> {
        self.padded_states(ids, ids.len(), wanted)
    }

    /// The same for a prompt of `real` ids, at least one, which are followed by padding. No id attends to padding, but the
    /// padding attends to the prompt.
    pub fn padded_states(&self, ids: &[u32], real: usize, wanted: &[usize]) -> Result<Vec<Tensor>> {
        let (mut x, device) = (self.embedding.rows(ids)?.unsqueeze(0)?, self.embedding.device());
        let of_token = |at: usize| angles(at, self.depth, self.theta).collect();
        let all: Vec<Vec<f64>> = (0..ids.len()).map(of_token).collect();
        let rotary = Rotary::new(&all, Pairs::Halves, device)?;
        let mut states = Vec::new();
        for number in 0..=self.layers.len() {
            if wanted.contains(&number) {
                states.push(x.clone());
            }
            if let Some(layer) = self.layers.get(number) {
                x = layer.forward(&x, &rotary, real)?;
            }
        }
        Ok(states)
    }

    /// The last states of a prompt, `[1, ids, width]`, normalised if the norm was loaded.
    pub fn last_states(&self, ids: &[u32]) -> Result<Tensor> {
        let last = self.states(ids, &[self.layers.len()])?.remove(0);
        self.norm.as_ref().map_or(Ok(last.clone()), |norm| norm.forward(&last))
    }
}

/// A model for generating text has the encoder as a part.
fn below<'a>(weights: &Weights<'a>) -> Weights<'a> {
    if weights.has("model.embed_tokens.weight") { weights.at("model") } else { weights.clone() }
}

impl Layer {
    fn load(config: &ConfigFile, weights: &Weights, depth: usize) -> std::result::Result<Layer, ModelError> {
        let (width, eps) = (width(config)?, config.number("rms_norm_eps", EPS)?);
        let inner = config.count("intermediate_size", Some(22_016))?;
        let heads = config.count("num_attention_heads", Some(32))?;
        let shared = config.count("num_key_value_heads", Some(heads))?;
        if !heads.is_multiple_of(shared) {
            return Err(config.refuse("num_key_value_heads", format!("a divisor of {heads}")));
        }
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        let norm = |name: &str, channels| weights.at(name).rms_norm(channels, eps);
        Ok(Layer {
            input_norm: norm("input_layernorm", width)?,
            to_q: linear("self_attn.q_proj", width, heads * depth)?,
            to_k: linear("self_attn.k_proj", width, shared * depth)?,
            to_v: linear("self_attn.v_proj", width, shared * depth)?,
            to_out: linear("self_attn.o_proj", heads * depth, width)?,
            norm_q: norm("self_attn.q_norm", depth)?,
            norm_k: norm("self_attn.k_norm", depth)?,
            inner_norm: norm("post_attention_layernorm", width)?,
            gate: linear("mlp.gate_proj", width, inner)?,
            up: linear("mlp.up_proj", width, inner)?,
            down: linear("mlp.down_proj", inner, width)?,
            heads,
            kernels: weights.kernels(),
        })
    }

    /// `real` is the number of tokens before the padding.
    fn forward(&self, x: &Tensor, rotary: &Rotary, real: usize) -> Result<Tensor> {
        let h = self.input_norm.forward(x)?;
        let q = self.spread(&rotary.rotate(&self.norm_q.forward(&self.split(&self.to_q.forward(&h)?)?)?)?)?;
        let k = self.spread(&rotary.rotate(&self.norm_k.forward(&self.split(&self.to_k.forward(&h)?)?)?)?)?;
        let v = self.spread(&self.split(&self.to_v.forward(&h)?)?)?;
        let first = |x: &Tensor| x.narrow(1, 0, real)?.contiguous();
        let (k, v) = (first(&k)?, first(&v)?);
        let mut h = self.kernels.attention(&first(&q)?, &k, &v, self.heads, Mask::Causal)?;
        let padding = q.dim(1)? - real;
        if padding > 0 {
            let q = q.narrow(1, real, padding)?.contiguous()?;
            h = Tensor::cat(&[h, self.kernels.attention(&q, &k, &v, self.heads, Mask::None)?], 1)?;
        }
        let x = self.to_out.forward_add(&h, x)?;
        let h = self.inner_norm.forward(&x)?;
        let h = (self.kernels.silu(&self.gate.forward(&h)?)? * self.up.forward(&h)?)?;
        self.down.forward_add(&h, &x)
    }

    /// `[B, tokens, heads, depth]`.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, width) = x.dims3()?;
        let depth = self.norm_q.weight.dim(0)?;
        x.reshape((batch, tokens, width / depth, depth))
    }

    /// `[B, tokens, channels]` with as many heads as the queries: each head of keys and values serves several.
    fn spread(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, heads, depth) = x.dims4()?;
        let all = x.unsqueeze(3)?.broadcast_as((batch, tokens, heads, self.heads / heads, depth))?;
        all.contiguous()?.reshape((batch, tokens, self.heads * depth))
    }
}

/// The base of the rotations: a key of its own, or a part of `rope_parameters` since transformers 5. Scaled ones are refused.
fn theta(config: &ConfigFile) -> std::result::Result<f64, ModelError> {
    config.only("rope_scaling", &[])?;
    let parameters = config.part("rope_parameters")?;
    if let Some(parameters) = &parameters {
        parameters.only("rope_type", &[json!("default")])?;
    }
    parameters.as_ref().unwrap_or(config).number("rope_theta", 1_000_000.0)
}
