//! CLIP's text encoder: 77 token ids in, one embedding per token out.
//!
//! Formulas and tensor names are those of transformers' `CLIPTextModel`. Not here: words (`tokenizer.rs`), the
//! projection and the pooled output, which Stable Diffusion 1 and 2 do not use.

use crate::ModelError;
use crate::clip::{ClipLayers, Defaults};
use crate::config::ConfigFile;
use crate::ops::{self, LayerNorm};
use crate::weights::Weights;
use candle_core::{Result, Tensor};

/// The text encoder of a model.
pub struct TextEncoder {
    token_embedding: Tensor,
    position_embedding: Tensor,
    layers: ClipLayers,
    final_norm: LayerNorm,
}

impl TextEncoder {
    pub(crate) fn load(
        config: &ConfigFile,
        weights: &Weights,
    ) -> std::result::Result<TextEncoder, ModelError> {
        let (positions, words) = (positions(config)?, words(config)?);
        // Files from before transformers 5 hold everything below one more name.
        let weights = if weights.has("text_model.final_layer_norm.weight") {
            weights.at("text_model")
        } else {
            weights.clone()
        };
        let layers = ClipLayers::load(config, Defaults { width: 512, inner: 2048, heads: 8 }, &weights)?;
        let width = layers.width;
        Ok(TextEncoder {
            token_embedding: weights.tensor("embeddings.token_embedding.weight", &[words, width])?,
            position_embedding: weights
                .tensor("embeddings.position_embedding.weight", &[positions, width])?,
            final_norm: weights.at("final_layer_norm").layer_norm(width, layers.eps)?,
            layers,
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
        let x = (words + self.position_embedding.narrow(0, 0, input_ids.len())?)?.unsqueeze(0)?;
        let x = self.layers.forward(x, layers, ops::Mask::Causal)?;
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
