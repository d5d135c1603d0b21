//! CLIP's text encoder: 77 token ids in, one embedding per token out.
//!
//! Formulas and tensor names are those of transformers' `CLIPTextModel` and `CLIPTextModelWithProjection`. Not here:
//! words (`tokenizer.rs`).

use crate::error::ModelError;
use crate::text::clip::{ClipLayers, Defaults};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use crate::weights::transformer_file::IDENTITY_PROJECTION;
use candle_core::{Result, Tensor};
use maquette_kernels::{LayerNorm, Linear, Mask};

/// The defaults of transformers' `CLIPTextConfig`.
const DEFAULTS: Defaults = Defaults { width: 512, inner: 2048, heads: 8 };

/// The text encoder of a model.
pub struct TextEncoder {
    token_embedding: Tensor,
    position_embedding: Tensor,
    layers: ClipLayers,
    final_norm: LayerNorm,
    output: Output,
}

/// Which layer's output is used.
enum Output {
    /// The last layer's output after the final norm: Stable Diffusion 1 and 2.
    Last,
    /// The penultimate layer's output, without the norm: SDXL.
    Penultimate(Option<Pooled>),
}

/// The pooled embedding: the output at the end token, after the final norm, projected if there is a projection.
struct Pooled {
    projection: Option<Linear>,
    width: usize,
    end: End,
}

/// Which token is the end token.
enum End {
    /// The largest id, as in transformers for configurations with the wrong id 2, which published ones have.
    LargestId,
    /// The first of this id.
    Id(u32),
}

/// The size of the pooled embedding of an encoder that has a projection.
pub(crate) fn pooled_width(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("projection_dim", Some(512))
}

impl TextEncoder {
    /// Loads one of SDXL's two text encoders; the second one has a projection.
    pub(crate) fn load_for_xl(
        config: &ConfigFile,
        weights: &Weights,
        has_projection: bool,
    ) -> std::result::Result<TextEncoder, ModelError> {
        let mut encoder = TextEncoder::load(config, weights)?;
        let pooled = || {
            let width = pooled_width(config)?;
            let projection = match config.flag(IDENTITY_PROJECTION, false)? {
                true => None,
                false => Some(weights.at("text_projection").linear(encoder.width(), width, false)?),
            };
            Ok::<_, ModelError>(Pooled { projection, width, end: End::read(config)? })
        };
        encoder.output = Output::Penultimate(if has_projection { Some(pooled()?) } else { None });
        Ok(encoder)
    }

    /// Loads the text encoder of FLUX.1, of which the pooled embedding is used, without a projection.
    pub(crate) fn load_pooled(
        config: &ConfigFile,
        weights: &Weights,
    ) -> std::result::Result<TextEncoder, ModelError> {
        let mut encoder = TextEncoder::load(config, weights)?;
        let pooled = Pooled { projection: None, width: encoder.width(), end: End::read(config)? };
        encoder.output = Output::Penultimate(Some(pooled));
        Ok(encoder)
    }

    pub(crate) fn load(
        config: &ConfigFile,
        weights: &Weights,
    ) -> std::result::Result<TextEncoder, ModelError> {
        let (positions, words) = (positions(config)?, vocabulary_size(config)?);
        // Files from before transformers 5 have an additional prefix.
        let weights = if weights.has("text_model.final_layer_norm.weight") {
            weights.at("text_model")
        } else {
            weights.clone()
        };
        let layers = ClipLayers::load(config, DEFAULTS, &weights)?;
        let width = layers.width;
        Ok(TextEncoder {
            token_embedding: weights.tensor("embeddings.token_embedding.weight", &[words, width])?,
            position_embedding: weights
                .tensor("embeddings.position_embedding.weight", &[positions, width])?,
            final_norm: weights.at("final_layer_norm").layer_norm(width, layers.eps)?,
            layers,
            output: Output::Last,
        })
    }

    /// How many layers `clip_skip` may skip.
    pub fn layers(&self) -> usize {
        match self.output {
            Output::Last => self.layers.len(),
            Output::Penultimate(_) => self.layers.len().saturating_sub(1),
        }
    }

    /// The size of the pooled embedding, if there is one.
    pub fn pooled_width(&self) -> Option<usize> {
        match &self.output {
            Output::Penultimate(Some(pooled)) => Some(pooled.width),
            _ => None,
        }
    }

    /// The size of one token's embedding.
    pub fn width(&self) -> usize {
        self.token_embedding.dims()[1]
    }

    /// The maximum number of token ids.
    pub fn positions(&self) -> usize {
        self.position_embedding.dims()[0]
    }

    /// The size of the vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        self.token_embedding.dims()[0]
    }

    /// Vectors `[count, width]` on the device and in the dtype of the encoder.
    pub(crate) fn as_words(&self, vectors: &Tensor) -> Result<Tensor> {
        vectors.to_device(self.token_embedding.device())?.to_dtype(self.token_embedding.dtype())
    }

    /// Embeddings `[1, input_ids.len(), width]` of one prompt.
    ///
    /// The last `clip_skip` layers are skipped, in SDXL counted from the penultimate one; outside SDXL the final layer
    /// norm is always applied, as in diffusers. Fails if there are fewer layers, more ids than positions, or an id
    /// outside the vocabulary.
    pub fn encode(&self, input_ids: &[u32], clip_skip: usize) -> Result<Tensor> {
        self.encode_with(input_ids, None, clip_skip)
    }

    /// The same, where `more` are the vectors of ids beyond the vocabulary, of textual inversions.
    pub fn encode_with(&self, input_ids: &[u32], more: Option<&Tensor>, clip_skip: usize) -> Result<Tensor> {
        Ok(self.embed_with(input_ids, more, clip_skip)?.sequence)
    }

    /// The same with the pooled embedding `[1, pooled_width]`, if there is one, which `clip_skip` does not affect.
    pub fn embed_with(
        &self,
        input_ids: &[u32],
        more: Option<&Tensor>,
        clip_skip: usize,
    ) -> Result<EncodedPrompt> {
        let Some(layers) = self.layers().checked_sub(clip_skip) else {
            candle_core::bail!("clip_skip is {clip_skip}, but this text encoder has {} layers", self.layers())
        };
        let words = self.look_up(input_ids, more)?;
        let x = (words + self.position_embedding.narrow(0, 0, input_ids.len())?)?.unsqueeze(0)?;
        let x = self.layers.forward(x, layers, Mask::Causal)?;
        let pooled = match &self.output {
            Output::Last => {
                return Ok(EncodedPrompt { sequence: self.final_norm.forward(&x)?, pooled: None });
            }
            Output::Penultimate(pooled) => pooled,
        };
        let Some(pooled) = pooled else { return Ok(EncodedPrompt { sequence: x, pooled: None }) };
        let last = self.layers.forward_through(x.clone(), layers..self.layers.len(), Mask::Causal)?;
        let end = last.narrow(1, pooled.end.position(input_ids), 1)?.contiguous()?;
        let end = self.final_norm.forward(&end)?;
        let end = match &pooled.projection {
            Some(projection) => projection.forward(&end)?,
            None => end,
        };
        Ok(EncodedPrompt { sequence: x, pooled: Some(end.squeeze(1)?) })
    }

    /// The token embeddings of ids, `[input_ids.len(), width]`; `more` as in [`TextEncoder::encode_with`].
    pub fn look_up(&self, input_ids: &[u32], more: Option<&Tensor>) -> Result<Tensor> {
        let words = self.vocabulary_size();
        let known = words + more.map_or(0, |more| more.dims()[0]);
        // candle would treat the largest possible id as a row of zeros.
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

impl End {
    fn read(config: &ConfigFile) -> std::result::Result<End, ModelError> {
        Ok(match config.count("eos_token_id", Some(49407))? {
            2 => End::LargestId,
            id => End::Id(id as u32),
        })
    }

    fn position(&self, input_ids: &[u32]) -> usize {
        let id = match self {
            // The first one if there are several, like torch's argmax on the CPU.
            End::LargestId => input_ids.iter().copied().max(),
            End::Id(id) => Some(*id),
        };
        input_ids.iter().position(|&one| Some(one) == id).unwrap_or(0)
    }
}

/// The maximum number of token ids of a configuration's text encoder.
pub(crate) fn positions(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("max_position_embeddings", Some(77))
}

/// The size of one token's embedding.
pub(crate) fn width(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("hidden_size", Some(DEFAULTS.width))
}

/// The size of its vocabulary.
pub(crate) fn vocabulary_size(config: &ConfigFile) -> std::result::Result<usize, ModelError> {
    config.count("vocab_size", Some(49408))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::load_options::LoadOptions;
    use crate::weights::source::ModelSource;
    use crate::weights::tensors::WeightFile;
    use candle_core::{DType, Device};
    use serde_json::Value;
    use std::path::Path;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");
    const KEY: &str = "text_projection.weight";

    /// The pooled embedding of tiny-sd3's first text encoder with another projection, or none.
    fn pooled(projection: Option<Tensor>) -> Vec<f32> {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("text_encoder");
        let own = Path::new(FIXTURES).join("tiny-sd3/text_encoder");
        std::fs::create_dir(&part).unwrap();
        let mut config: Value =
            serde_json::from_slice(&std::fs::read(own.join("config.json")).unwrap()).unwrap();
        config["projection_dim"] = config["hidden_size"].clone();
        config[IDENTITY_PROJECTION] = projection.is_none().into();
        std::fs::write(part.join("config.json"), config.to_string()).unwrap();
        let mut tensors =
            candle_core::safetensors::load(own.join("model.safetensors"), &Device::Cpu).unwrap();
        tensors.remove(KEY);
        tensors.extend(projection.map(|tensor| (KEY.to_owned(), tensor)));
        candle_core::safetensors::save(&tensors, part.join("model.safetensors")).unwrap();

        let source = ModelSource::Folder(folder.path().to_owned());
        let config = ConfigFile::open(&source, "text_encoder/config.json").unwrap();
        let options = LoadOptions::new(&Device::Cpu, DType::F32);
        let weights = WeightFile::open(&source, "text_encoder/model", config.file(), &options).unwrap();
        let encoder = TextEncoder::load_for_xl(&config, &weights.root(), true).unwrap();
        let embedded = encoder.embed_with(&[1, 7, 30, 2], None, 0).unwrap();
        embedded.pooled.unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_projection_that_is_the_identity_may_be_missing() {
        let width = pooled(None).len();
        let eye = Tensor::eye(width, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(pooled(Some(eye.clone())), pooled(None));
        assert_ne!(pooled(Some((eye * 2.0).unwrap())), pooled(None));
    }
}
