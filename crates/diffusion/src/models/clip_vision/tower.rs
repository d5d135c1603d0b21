//! CLIP's vision tower: patches of pixels in, one embedding of the picture out.
//!
//! Formulas and tensor names are those of transformers' `CLIPVisionModel`.

use crate::error::ModelError;
use crate::text::clip::{ClipLayers, Defaults};
use crate::weights::config::ConfigFile;
use crate::weights::tensors::Weights;
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{LayerNorm, Linear, Mask};
use serde_json::json;

/// A key that every file of a tower has, below the tower's prefix.
pub(crate) const FIRST_KEY: &str = "embeddings.class_embedding";

/// The vision tower.
pub(crate) struct Vision {
    /// From a patch's pixels to its token.
    patch_embedding: Linear,
    class_embedding: Tensor,
    position_embedding: Tensor,
    norm_in: LayerNorm,
    layers: ClipLayers,
    norm_out: LayerNorm,
    patch: usize,
    /// Width and height of its input.
    pub image_size: usize,
}

impl Vision {
    pub fn load(config: &ConfigFile, weights: &Weights) -> std::result::Result<Vision, ModelError> {
        config.only("num_channels", &[json!(3)])?;
        let image_size = config.count("image_size", Some(224))?;
        let patch = config.count("patch_size", Some(32))?;
        if !image_size.is_multiple_of(patch) {
            return Err(config.refuse("patch_size", format!("a divisor of image_size, {image_size}")));
        }
        let layers = ClipLayers::load(config, Defaults { width: 768, inner: 3072, heads: 12 }, weights)?;
        let (width, eps) = (layers.width, layers.eps);
        let across = image_size / patch;
        let embeddings = weights.at("embeddings");
        Ok(Vision {
            patch_embedding: embeddings.at("patch_embedding").patch_embedding(3, width, patch, false)?,
            class_embedding: embeddings.tensor("class_embedding", &[width])?,
            position_embedding: embeddings
                .tensor("position_embedding.weight", &[1 + across * across, width])?,
            // The name is misspelt in all published files.
            norm_in: weights.at("pre_layrnorm").layer_norm(width, eps)?,
            norm_out: weights.at("post_layernorm").layer_norm(width, eps)?,
            layers,
            patch,
            image_size,
        })
    }

    /// Channels of a token, and of the result.
    pub fn width(&self) -> usize {
        self.layers.width
    }

    /// The picture's embedding `[1, 1, width]`, the output of the class token. `pixels` is `[3, size, size]`.
    pub fn pooled(&self, pixels: &[f32], dtype: DType, device: &Device) -> Result<Tensor> {
        let tokens = self.tokens(pixels, self.layers.len(), dtype, device)?;
        self.norm_out.forward(&tokens.narrow(1, 0, 1)?.contiguous()?)
    }

    /// All tokens before the last layer, `[1, 1 + patches, width]`: transformers' `hidden_states[-2]`.
    pub fn before_last(&self, pixels: &[f32], dtype: DType, device: &Device) -> Result<Tensor> {
        self.tokens(pixels, self.layers.len().saturating_sub(1), dtype, device)
    }

    /// The tokens after the first `layers` layers.
    fn tokens(&self, pixels: &[f32], layers: usize, dtype: DType, device: &Device) -> Result<Tensor> {
        let (across, patch) = (self.image_size / self.patch, self.patch);
        let pixels = Tensor::from_slice(pixels, (3, across, patch, across, patch), device)?;
        let patches = pixels.permute((1, 3, 0, 2, 4))?.contiguous()?.to_dtype(dtype)?;
        let patches = patches.reshape((1, across * across, 3 * patch * patch))?;
        let patches = self.patch_embedding.forward(&patches)?;
        // Kernels may store parameters in a wider dtype than that of the activations.
        let class = self.class_embedding.to_dtype(dtype)?.reshape((1, 1, ()))?;
        let tokens = Tensor::cat(&[class, patches], 1)?;
        let tokens = tokens.broadcast_add(&self.position_embedding.to_dtype(dtype)?)?;
        let tokens = self.norm_in.forward(&tokens)?;
        self.layers.forward(tokens, layers, Mask::None)
    }
}
