//! CLIP's text encoder: 77 token ids in, one embedding per token out.
//!
//! Formulas and tensor names are those of transformers' `CLIPTextModel`. Not here: words (`tokenizer.rs`), the
//! projection and the pooled output, which Stable Diffusion 1 and 2 do not use.

use crate::ModelError;
use crate::config::ConfigFile;
use crate::ops::{self, LayerNorm, Linear};
use crate::weights::Weights;
use candle_core::{Result, Tensor};

/// The text encoder of a model.
pub struct TextEncoder {
    token_embedding: Tensor,
    position_embedding: Tensor,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    heads: usize,
    activation: Activation,
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

impl TextEncoder {
    pub(crate) fn load(
        config: &ConfigFile,
        weights: &Weights,
    ) -> std::result::Result<TextEncoder, ModelError> {
        let width = config.count("hidden_size", Some(512))?;
        let inner = config.count("intermediate_size", Some(2048))?;
        let heads = config.count("num_attention_heads", Some(8))?;
        if !width.is_multiple_of(heads) {
            return Err(config.refuse("num_attention_heads", format!("a divisor of hidden_size, {width}")));
        }
        let activation = match config.get("hidden_act").map(|value| value.as_str()) {
            None | Some(Some("quick_gelu")) => Activation::QuickGelu,
            Some(Some("gelu")) => Activation::Gelu,
            Some(_) => return Err(config.refuse("hidden_act", "\"quick_gelu\" or \"gelu\"")),
        };
        let (positions, words) = (positions(config)?, words(config)?);
        let eps = config.number("layer_norm_eps", 1e-5)?;

        // Files from before transformers 5 hold everything below one more name.
        let weights = if weights.has("text_model.final_layer_norm.weight") {
            weights.at("text_model")
        } else {
            weights.clone()
        };
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
        Ok(TextEncoder {
            token_embedding: weights.tensor("embeddings.token_embedding.weight", &[words, width])?,
            position_embedding: weights
                .tensor("embeddings.position_embedding.weight", &[positions, width])?,
            layers: (0..config.count("num_hidden_layers", Some(12))?)
                .map(layer)
                .collect::<std::result::Result<_, _>>()?,
            final_norm: weights.at("final_layer_norm").layer_norm(width, eps)?,
            heads,
            activation,
        })
    }

    /// How many layers it has; `clip_skip` may leave out as many.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The size of one token's embedding.
    pub fn width(&self) -> usize {
        self.token_embedding.dims()[1]
    }

    /// How many token ids it takes at most.
    pub fn positions(&self) -> usize {
        self.position_embedding.dims()[0]
    }

    /// How many different token ids it knows.
    pub fn words(&self) -> usize {
        self.token_embedding.dims()[0]
    }

    /// Vectors `[count, width]` as [`TextEncoder::encode`] takes them: on its device, in its dtype.
    pub(crate) fn as_words(&self, vectors: &Tensor) -> Result<Tensor> {
        vectors.to_device(self.token_embedding.device())?.to_dtype(self.token_embedding.dtype())
    }

    /// Embeddings `[1, input_ids.len(), width]` of one prompt.
    ///
    /// The last `clip_skip` layers are left out; the final layer norm always comes last, as in diffusers. Fails when
    /// there are fewer layers than that, more ids than positions, or an id outside the vocabulary.
    pub fn encode(&self, input_ids: &[u32], clip_skip: usize) -> Result<Tensor> {
        self.encode_with(input_ids, None, clip_skip)
    }

    /// The same, where `more` are the vectors of ids beyond the vocabulary: those of textual inversions.
    pub fn encode_with(&self, input_ids: &[u32], more: Option<&Tensor>, clip_skip: usize) -> Result<Tensor> {
        let Some(layers) = self.layers.len().checked_sub(clip_skip) else {
            candle_core::bail!(
                "clip_skip is {clip_skip}, and this text encoder has {} layers",
                self.layers.len()
            )
        };
        let words = self.look_up(input_ids, more)?;
        let mut x = (words + self.position_embedding.narrow(0, 0, input_ids.len())?)?.unsqueeze(0)?;
        for layer in &self.layers[..layers] {
            let h = ops::layer_norm(&x, &layer.norm1)?;
            let (q, k, v) =
                (ops::linear(&h, &layer.to_q)?, ops::linear(&h, &layer.to_k)?, ops::linear(&h, &layer.to_v)?);
            let h = ops::attention(&q, &k, &v, self.heads, ops::Mask::Causal)?;
            x = ops::linear_add(&h, &layer.to_out, &x)?;
            let h = ops::linear(&ops::layer_norm(&x, &layer.norm2)?, &layer.fc1)?;
            let h = match self.activation {
                Activation::QuickGelu => ops::quick_gelu(&h)?,
                Activation::Gelu => ops::gelu(&h)?,
            };
            x = ops::linear_add(&h, &layer.fc2, &x)?;
        }
        ops::layer_norm(&x, &self.final_norm)
    }

    /// The token embeddings of ids, `[input_ids.len(), width]`.
    fn look_up(&self, input_ids: &[u32], more: Option<&Tensor>) -> Result<Tensor> {
        let words = self.words();
        let known = words + more.map_or(0, |more| more.dims()[0]);
        // Candle would take the largest id there is for a row of zeros.
        if let Some(id) = input_ids.iter().find(|&&id| id as usize >= known) {
            candle_core::bail!("token id {id} is outside the text encoder's vocabulary of {known}")
        }
        let Some(more) = more else {
            return self
                .token_embedding
                .index_select(&Tensor::new(input_ids, self.token_embedding.device())?, 0);
        };
        let row = |&id: &u32| match (id as usize).checked_sub(words) {
            Some(beyond) => more.narrow(0, beyond, 1),
            None => self.token_embedding.narrow(0, id as usize, 1),
        };
        Tensor::cat(&input_ids.iter().map(row).collect::<Result<Vec<_>>>()?, 0)
    }
}

/// How many token ids the text encoder of a configuration takes at most.
pub(crate) fn positions(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("max_position_embeddings", Some(77))
}

/// How many different token ids it knows.
pub(crate) fn words(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("vocab_size", Some(49408))
}
