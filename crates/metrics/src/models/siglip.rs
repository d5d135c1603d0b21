//! SigLIP and SigLIP 2 of a fixed size: pictures and texts as vectors in one space (Zhai et al. 2023, Tschannen et al.
//! 2025), computed by candle-transformers.
//!
//! candle resizes the embeddings of positions by taking the nearest, and only for pictures of another size than the
//! model's. Pictures are always resized to the model's size here, so that nothing is resized. SigLIP 2 with flexible sizes
//! (NaFlex, `model_type` `siglip2`) needs more, and is refused.

use super::ModelError;
use super::folder::{ModelFolder, builder};
use super::prepare::{Defaults, HALF, Preparation};
use super::tokens::TextTokens;
use candle_core::{Device, IndexOp, Module, Tensor};
use candle_transformers::models::siglip::{Config, TextModel, VisionModel};
use maquette_core::Image;
use serde_json::Value;

/// A SigLIP model.
pub(super) struct Siglip {
    vision: VisionModel,
    text: TextModel,
    preparation: Preparation,
    tokens: TextTokens,
    image_size: usize,
}

impl Siglip {
    /// From a folder with that configuration.
    pub fn open(folder: &ModelFolder, config: &Value) -> Result<Siglip, ModelError> {
        let (text, vision) = (&config["text_config"], &config["vision_config"]);
        let projected = text["projection_size"]
            .as_u64()
            .filter(|&size| text["hidden_size"].as_u64().unwrap_or(768) != size);
        if let Some(size) = projected {
            return Err(folder.unsupported(format!(
                "its texts are projected to {size} numbers, which candle's SigLIP does not do; allowed: models whose `projection_size` is their `hidden_size`"
            )));
        }
        if vision["vision_use_head"].as_bool() == Some(false) {
            return Err(folder
                .unsupported("it has no pooling head (`vision_use_head`), and so no vector of a picture"));
        }
        let read: Config = serde_json::from_value(config.clone())
            .map_err(|error| ModelError::unreadable(&folder.path().join("config.json"), error))?;
        let tensors =
            folder.tensors(&|name| name.starts_with("text_model.") || name.starts_with("vision_model."))?;
        let weights = builder(tensors);
        Ok(Siglip {
            vision: VisionModel::new(&read.vision_config, true, weights.pp("vision_model"))?,
            text: TextModel::new(&read.text_config, weights.pp("text_model"))?,
            preparation: Preparation::of(folder, Defaults { shortest: false, normal: HALF })?,
            tokens: TextTokens::siglip(folder, read.text_config.max_position_embeddings)?,
            image_size: read.vision_config.image_size,
        })
    }

    /// The vector of a picture, not normalised.
    pub fn embed(&self, image: &Image) -> Result<Vec<f32>, ModelError> {
        let pixels = self.preparation.tensor(image)?;
        let (_, _, height, width) = pixels.dims4()?;
        if (width, height) != (self.image_size, self.image_size) {
            let (is, should) = (format!("{width}x{height}"), self.image_size);
            return Err(ModelError::Picture(format!(
                "the model takes {should}x{should} pixels, its processor makes {is}"
            )));
        }
        Ok(self.vision.forward(&pixels)?.i(0)?.to_vec1()?)
    }

    /// The vector of a text, not normalised.
    pub fn embed_text(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        let input = Tensor::new(&self.tokens.ids(text)?[..], &Device::Cpu)?.unsqueeze(0)?;
        Ok(self.text.forward(&input)?.i(0)?.to_vec1()?)
    }

    #[cfg(test)]
    pub fn ids(&self, text: &str) -> Vec<u32> {
        self.tokens.ids(text).unwrap()
    }
}
