//! CLIP's view of a picture: preparing its pixels, the vision tower, and the encoder of IP-Adapters.

mod pixels;
mod tower;

use crate::error::ModelError;
use crate::models::unet::ip_adapter::ImageInput;
use crate::weights::config::ConfigFile;
use crate::weights::load_options::LoadOptions;
use crate::weights::tensors::Weights;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::Image;
use maquette_kernels::Linear;
pub(crate) use pixels::{CONFIG as PREPROCESSOR, Preprocessor};
use serde_json::json;
pub(crate) use tower::{FIRST_KEY, Vision};

/// The encoder of an IP-Adapter's pictures: transformers' `CLIPVisionModelWithProjection`.
pub(crate) struct ImageEncoder {
    preprocessor: Preprocessor,
    vision: Vision,
    projection: Linear,
    dtype: DType,
    device: Device,
}

impl ImageEncoder {
    /// The outputs of an encoder with this configuration, which is checked to be one.
    pub fn outputs(config: &ConfigFile) -> std::result::Result<[ImageInput; 2], ModelError> {
        config.only("model_type", &[json!("clip_vision_model")])?;
        let projected = config.count("projection_dim", Some(512))?;
        Ok([ImageInput::Embedding(projected), ImageInput::Tokens(config.count("hidden_size", Some(768))?)])
    }

    pub fn load(
        config: &ConfigFile,
        weights: &Weights,
        options: &LoadOptions,
    ) -> std::result::Result<ImageEncoder, ModelError> {
        let projected = config.count("projection_dim", Some(512))?;
        let vision = Vision::load(config, &weights.at("vision_model"))?;
        Ok(ImageEncoder {
            preprocessor: Preprocessor::of_size(vision.image_size),
            projection: weights.at("visual_projection").linear(vision.width(), projected, false)?,
            vision,
            dtype: weights.activation_dtype(),
            device: options.device.clone(),
        })
    }

    /// What an IP-Adapter takes of a picture and, with guidance, of none: zeros in place of its embedding, or the tokens of
    /// pixels that are all zero after normalising. Each is `[1, count, width]`.
    ///
    /// Source: `encode_image` of diffusers' `StableDiffusionPipeline`.
    pub fn encode(&self, image: &Image, input: ImageInput) -> Result<[Tensor; 2]> {
        let pixels = self.preprocessor.pixels(image).map_err(candle_core::Error::wrap)?;
        Ok(match input {
            ImageInput::Embedding(_) => {
                let pooled = self.vision.pooled(&pixels, self.dtype, &self.device)?;
                let embedding = self.projection.forward(&pooled)?;
                let none = embedding.zeros_like()?;
                [embedding, none]
            }
            ImageInput::Tokens(_) => {
                let tokens = |pixels: &[f32]| -> Result<Tensor> {
                    self.vision.before_last(pixels, self.dtype, &self.device)
                };
                [tokens(&pixels)?, tokens(&vec![0.0; pixels.len()])?]
            }
        })
    }
}
