//! CLIP: pictures and texts as vectors in one space (Radford et al. 2021), computed by candle-transformers.
//!
//! candle's CLIP knows QuickGELU alone, and one epsilon of its norms. OpenAI's models, and those trained from them, have
//! both; models with another activation (most of OpenCLIP's, such as laion/CLIP-ViT-H-14-laion2B-s32B-b79K) are refused.

use super::ModelError;
use super::folder::{ModelFolder, builder, number, text};
use super::prepare::{Defaults, OPENAI, Preparation};
use super::tokens::TextTokens;
use candle_core::{Device, IndexOp, Module, Tensor};
use candle_nn::{Linear, VarBuilder, linear_no_bias};
use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig, ClipTextTransformer};
use candle_transformers::models::clip::vision_model::{ClipVisionConfig, ClipVisionTransformer};
use maquette_core::Image;
use serde_json::Value;

/// The picture half of a CLIP model.
pub(super) struct ClipVision {
    model: ClipVisionTransformer,
    projection: Linear,
    preparation: Preparation,
}

/// The text half of a CLIP model.
pub(super) struct ClipText {
    model: ClipTextTransformer,
    projection: Linear,
    tokens: TextTokens,
    end: u32,
}

/// transformers' default for the end token, and the value by which it recognises configurations that state it wrongly.
const END: usize = 49407;
const WRONG_END: u32 = 2;

impl ClipVision {
    /// From a folder whose `config` is that of the vision model; its vectors have `size` numbers.
    pub fn open(folder: &ModelFolder, config: &Value, size: usize) -> Result<ClipVision, ModelError> {
        check(folder, config)?;
        let image_size = number(config, "image_size", 224);
        let patch_size = number(config, "patch_size", 32);
        if number(config, "num_channels", 3) != 3 {
            return Err(folder.unsupported("it does not take pictures of three channels"));
        }
        let model = ClipVisionConfig {
            embed_dim: number(config, "hidden_size", 768),
            activation: Activation::QuickGelu,
            intermediate_size: number(config, "intermediate_size", 3072),
            num_hidden_layers: number(config, "num_hidden_layers", 12),
            num_attention_heads: number(config, "num_attention_heads", 12),
            projection_dim: size,
            num_channels: 3,
            image_size,
            patch_size,
        };
        let tensors = folder
            .tensors(&|name| name.starts_with("vision_model.") || name == "visual_projection.weight")?;
        let weights: VarBuilder<'_> = builder(tensors);
        Ok(ClipVision {
            projection: linear_no_bias(model.embed_dim, size, weights.pp("visual_projection"))?,
            model: ClipVisionTransformer::new(weights.pp("vision_model"), &model)?,
            preparation: Preparation::of(folder, Defaults { shortest: true, normal: OPENAI })?,
        })
    }

    /// The vector of a picture, not normalised.
    pub fn embed(&self, image: &Image) -> Result<Vec<f32>, ModelError> {
        let pixels = self.preparation.tensor(image)?;
        Ok(self.projection.forward(&self.model.forward(&pixels)?)?.i(0)?.to_vec1()?)
    }
}

impl ClipText {
    /// From a folder whose `config` is that of the text model.
    pub fn open(folder: &ModelFolder, config: &Value, size: usize) -> Result<ClipText, ModelError> {
        check(folder, config)?;
        let length = number(config, "max_position_embeddings", 77);
        let model = ClipTextConfig {
            vocab_size: number(config, "vocab_size", 49408),
            embed_dim: number(config, "hidden_size", 512),
            activation: Activation::QuickGelu,
            intermediate_size: number(config, "intermediate_size", 2048),
            max_position_embeddings: length,
            pad_with: None,
            num_hidden_layers: number(config, "num_hidden_layers", 12),
            num_attention_heads: number(config, "num_attention_heads", 8),
            projection_dim: size,
        };
        let tensors =
            folder.tensors(&|name| name.starts_with("text_model.") || name == "text_projection.weight")?;
        let weights: VarBuilder<'_> = builder(tensors);
        Ok(ClipText {
            projection: linear_no_bias(model.embed_dim, size, weights.pp("text_projection"))?,
            model: ClipTextTransformer::new(weights.pp("text_model"), &model)?,
            tokens: TextTokens::clip(folder, length)?,
            end: number(config, "eos_token_id", END) as u32,
        })
    }

    /// The vector of a text, not normalised: that of its end token.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let ids = self.tokens.ids(text)?;
        let input = Tensor::new(&ids[..], &Device::Cpu)?.unsqueeze(0)?;
        let hidden = self.model.forward_with_mask(&input, usize::MAX)?;
        let pooled = hidden.i((.., end_of(&ids, self.end), ..))?;
        Ok(self.projection.forward(&pooled)?.i(0)?.to_vec1()?)
    }

    #[cfg(test)]
    pub fn ids(&self, text: &str) -> Vec<u32> {
        self.tokens.ids(text).unwrap()
    }
}

/// Where a text ends: at its first end token, or, with a configuration that states that token wrongly, at the first of its
/// largest ids (transformers' `CLIPTextModel`).
fn end_of(ids: &[u32], end: u32) -> usize {
    let end = if end == WRONG_END { ids.iter().copied().max().unwrap_or(end) } else { end };
    ids.iter().position(|&id| id == end).unwrap_or(0)
}

fn check(folder: &ModelFolder, config: &Value) -> Result<(), ModelError> {
    let activation = text(config, "hidden_act", "quick_gelu");
    if activation != "quick_gelu" {
        return Err(folder.unsupported(format!(
            "its activation is `{activation}`; only CLIP models with `quick_gelu`, such as OpenAI's, can be computed"
        )));
    }
    let epsilon = config["layer_norm_eps"].as_f64().unwrap_or(1e-5);
    if epsilon != 1e-5 {
        return Err(
            folder.unsupported(format!("the epsilon of its norms is {epsilon}; only 1e-5 can be computed"))
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_its_first_end_token() {
        assert_eq!(end_of(&[7, 1, 9, 3, 9], 9), 2);
        assert_eq!(end_of(&[7, 1, 9, 3, 9], WRONG_END), 2);
        assert_eq!(end_of(&[7, 1, 3], 9), 0);
    }
}
