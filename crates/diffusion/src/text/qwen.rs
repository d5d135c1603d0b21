//! Qwen3, and the language model of Qwen2.5-VL, as text encoders: the states between their layers.
//!
//! Formulas and tensor names are those of transformers' `Qwen3Model` and `Qwen2_5_VLTextModel`, of which the latter has biases in place
//! of norms of queries and keys. Its positions have three axes, which are the same for text. Layers above the last state that is used
//! and the output of words are not loaded, and neither is the last norm, unless the whole model is. Not here: generating text, pictures
//! as input.

use crate::error::ModelError;
use crate::models::rotary::{Pairs, Rotary, angles};
use crate::weights::config::ConfigFile;
use crate::weights::found::Table;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Kernels, Linear, Mask, RmsNorm};
use serde_json::{Value, json};

/// `eps` of all norms, unless the configuration says otherwise.
const EPS: f64 = 1e-6;

/// The lower layers of a Qwen model, or all of them with the last norm.
pub(crate) struct Qwen {
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
    norms: Option<[RmsNorm; 2]>,
    inner_norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    heads: usize,
    depth: usize,
    kernels: &'static dyn Kernels,
}

/// How `model_type` begins of Qwen2.5-VL and of its language model.
const QWEN_2_5_VL: &str = "qwen2_5_vl";

/// The configuration of the language model, where it is a part of a model for language and pictures, which may also have its values
/// beside it.
pub(crate) fn language(config: ConfigFile) -> std::result::Result<ConfigFile, ModelError> {
    Ok(config.part("text_config")?.unwrap_or(config))
}

/// Whether a configuration is that of Qwen2.5-VL.
fn is_2_5_vl(config: &ConfigFile) -> bool {
    let kind = config.get("model_type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.starts_with(QWEN_2_5_VL))
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

/// Whether a tensor is not used by the whole model. Those that see pictures are not.
pub(crate) fn is_spare_in_whole(key: &str) -> bool {
    key == "lm_head.weight" || key.starts_with("visual.") || key.starts_with("model.visual.")
}

/// Whether a tensor belongs to what is not used with `layers` layers.
pub(crate) fn is_spare(key: &str, layers: usize) -> bool {
    let key = key.strip_prefix("model.").unwrap_or(key);
    let number = key.strip_prefix("layers.").and_then(|key| key.split('.').next()?.parse::<usize>().ok());
    key == "norm.weight" || key == "lm_head.weight" || number.is_some_and(|number| number >= layers)
}

impl Qwen {
    /// Loads the embeddings and the first `count` layers.
    pub fn load(
        config: &ConfigFile,
        weights: &Weights,
        count: usize,
    ) -> std::result::Result<Qwen, ModelError> {
        config.only("hidden_act", &[json!("silu")])?;
        for key in ["attention_bias", "use_sliding_window"] {
            config.only(key, &[json!(false)])?;
        }
        let weights = below(weights);
        let depth = depth(config)?;
        if count > layers(config)? {
            return Err(config.refuse("num_hidden_layers", format!("at least {count}")));
        }
        let words = vocabulary_size(config)?;
        let layer = |i: usize| Layer::load(config, &weights.at(format!("layers.{i}")));
        Ok(Qwen {
            embedding: weights.table("embed_tokens.weight", [words, width(config)?])?,
            layers: (0..count).map(layer).collect::<std::result::Result<_, _>>()?,
            norm: None,
            theta: theta(config)?,
            depth,
        })
    }

    /// Loads the embeddings, all layers, and the last norm.
    pub fn load_whole(config: &ConfigFile, weights: &Weights) -> std::result::Result<Qwen, ModelError> {
        let eps = config.number("rms_norm_eps", EPS)?;
        let norm = below(weights).at("norm").rms_norm(width(config)?, eps)?;
        Ok(Qwen { norm: Some(norm), ..Qwen::load(config, weights, layers(config)?)? })
    }

    /// The states of a prompt, `[1, ids, width]` each: `wanted` numbers them, from 0 for the embeddings, ascending.
    pub fn states(&self, ids: &[u32], wanted: &[usize]) -> Result<Vec<Tensor>> {
        self.padded_states(ids, ids.len(), wanted)
    }

    /// The same for a prompt of `real` ids, at least one, which are followed by padding. No id attends to padding, but the
    /// padding attends to the prompt.
    pub fn padded_states(&self, ids: &[u32], real: usize, wanted: &[usize]) -> Result<Vec<Tensor>> {
        let (mut x, device) = (self.embedding.rows(ids)?.unsqueeze(0)?, self.embedding.device());
        let of_token = |at: usize| angles(at as f64, self.depth, self.theta).collect();
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

/// A model for generating text has the encoder as a part, and so has one for pictures, by its older and its newer names.
fn below<'a>(weights: &Weights<'a>) -> Weights<'a> {
    let has = |part: &&str| weights.has(&format!("{part}.embed_tokens.weight"));
    let part = ["model", "model.language_model"].into_iter().find(has);
    part.map_or_else(|| weights.clone(), |part| weights.at(part))
}

/// The channels of a head.
fn depth(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    if !is_2_5_vl(config) {
        return config.count("head_dim", Some(128));
    }
    let (width, heads) = (width(config)?, heads(config)?);
    match width.is_multiple_of(heads) {
        true => Ok(width / heads),
        false => Err(config.refuse("num_attention_heads", format!("a divisor of {width}, the hidden_size"))),
    }
}

fn heads(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("num_attention_heads", Some(32))
}

impl Layer {
    fn load(config: &ConfigFile, weights: &Weights) -> std::result::Result<Layer, ModelError> {
        let (depth, is_2_5_vl) = (depth(config)?, is_2_5_vl(config));
        let (width, eps) = (width(config)?, config.number("rms_norm_eps", EPS)?);
        let inner = config.count("intermediate_size", Some(22_016))?;
        let heads = heads(config)?;
        let shared = config.count("num_key_value_heads", Some(heads))?;
        if !heads.is_multiple_of(shared) {
            return Err(config.refuse("num_key_value_heads", format!("a divisor of {heads}")));
        }
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, false);
        let projection = |name: &str, heads: usize| {
            weights.at(format!("self_attn.{name}_proj")).linear(width, heads * depth, is_2_5_vl)
        };
        let norm = |name: &str, channels| weights.at(name).rms_norm(channels, eps);
        let norms =
            || Ok::<_, ModelError>([norm("self_attn.q_norm", depth)?, norm("self_attn.k_norm", depth)?]);
        Ok(Layer {
            input_norm: norm("input_layernorm", width)?,
            to_q: projection("q", heads)?,
            to_k: projection("k", shared)?,
            to_v: projection("v", shared)?,
            to_out: linear("self_attn.o_proj", heads * depth, width)?,
            norms: if is_2_5_vl { None } else { Some(norms()?) },
            inner_norm: norm("post_attention_layernorm", width)?,
            gate: linear("mlp.gate_proj", width, inner)?,
            up: linear("mlp.up_proj", width, inner)?,
            down: linear("mlp.down_proj", inner, width)?,
            heads,
            depth,
            kernels: weights.kernels(),
        })
    }

    /// `real` is the number of tokens before the padding.
    fn forward(&self, x: &Tensor, rotary: &Rotary, real: usize) -> Result<Tensor> {
        let h = self.input_norm.forward(x)?;
        let turned = |layer: &Linear, norm: usize| {
            let h = self.split(&layer.forward(&h)?)?;
            let h = self.norms.as_ref().map_or(Ok(h.clone()), |norms| norms[norm].forward(&h))?;
            self.spread(&rotary.rotate(&h)?)
        };
        let (q, k) = (turned(&self.to_q, 0)?, turned(&self.to_k, 1)?);
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
        x.reshape((batch, tokens, width / self.depth, self.depth))
    }

    /// `[B, tokens, channels]` with as many heads as the queries: each head of keys and values serves several.
    fn spread(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, heads, depth) = x.dims4()?;
        let all = x.unsqueeze(3)?.broadcast_as((batch, tokens, heads, self.heads / heads, depth))?;
        all.contiguous()?.reshape((batch, tokens, self.heads * depth))
    }
}

/// The base of the rotations: a key of its own, or a part of `rope_parameters` since transformers 5. Scaled ones are refused; that of
/// Qwen2.5-VL only says which channels belong to which axis.
fn theta(config: &ConfigFile) -> std::result::Result<f64, ModelError> {
    let parameters = config.part("rope_parameters")?;
    let scaling = match is_2_5_vl(config) {
        true => config.part("rope_scaling")?,
        false => config.only("rope_scaling", &[]).map(|()| None)?,
    };
    for part in parameters.iter().chain(&scaling) {
        for key in ["rope_type", "type"] {
            part.only(key, &[json!("default"), json!("mrope")])?;
        }
    }
    parameters.as_ref().unwrap_or(config).number("rope_theta", 1_000_000.0)
}
