//! LAION's aesthetic predictor: a small network on CLIP ViT-L/14's vector of a picture, of length 1
//! (christophschuhmann/improved-aesthetic-predictor, `sac+logos+ava1-l14-linearMSE`).
//!
//! The network is linear throughout: its activations are commented out in the original.

use super::ModelError;
use super::clip::ClipVision;
use super::encoder::normalised;
use super::folder::{ModelFolder, Tensors, builder, number, read_tensors};
use candle_core::{Device, Module, Tensor};
use candle_nn::{Linear, linear};
use maquette_core::Image;
use serde_json::Value;
use std::path::Path;

/// The predictor and the CLIP model before it.
pub struct AestheticPredictor {
    clip: ClipVision,
    head: AestheticHead,
}

/// The network after CLIP.
pub struct AestheticHead {
    layers: Vec<Linear>,
}

/// The layers' numbers in the original's `nn.Sequential`, and their sizes. Between them are dropouts, which do nothing here.
const LAYERS: [(usize, usize, usize); 5] =
    [(0, SIZE, 1024), (2, 1024, 128), (4, 128, 64), (6, 64, 16), (7, 16, 1)];

/// The length of CLIP ViT-L/14's vectors.
const SIZE: usize = 768;

impl AestheticPredictor {
    /// The predictor in a folder: CLIP's vision model and the head in one file, with `vision_model.`,
    /// `visual_projection.` and `layers.` (shunk031/aesthetics-predictor-v2-sac-logos-ava1-l14-linearMSE).
    ///
    /// # Errors
    ///
    /// A missing or unreadable file, or another model.
    pub fn open(folder: &ModelFolder) -> Result<AestheticPredictor, ModelError> {
        let config = folder.config()?;
        let vision = match &config["vision_config"] {
            Value::Null => &config,
            vision => vision,
        };
        let size = number(&config, "projection_dim", SIZE);
        if size != SIZE {
            return Err(folder.unsupported(format!(
                "its CLIP model makes vectors of {size} numbers; the predictor takes those of CLIP ViT-L/14, {SIZE}"
            )));
        }
        let head = folder.tensors(&|name| name.starts_with("layers."))?;
        if head.is_empty() {
            return Err(folder.unsupported(
                "it has no predictor (`layers.0.weight` and so on) beside its CLIP model; allowed: shunk031/aesthetics-predictor-v2-sac-logos-ava1-l14-linearMSE and folders like it",
            ));
        }
        Ok(AestheticPredictor {
            clip: ClipVision::open(folder, vision, size)?,
            head: AestheticHead::new(head)?,
        })
    }

    /// The score of a picture, about 1 to 10.
    ///
    /// # Errors
    ///
    /// A picture that cannot be prepared.
    pub fn score(&self, image: &Image) -> Result<f64, ModelError> {
        self.head.score(normalised(self.clip.embed(image)?))
    }
}

impl AestheticHead {
    /// The head alone, from a file of safetensors with `layers.0.weight` and so on.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or that has other tensors.
    pub fn open(file: &Path) -> Result<AestheticHead, ModelError> {
        AestheticHead::new(read_tensors(file, &|name| name.starts_with("layers."))?)
    }

    fn new(tensors: Tensors) -> Result<AestheticHead, ModelError> {
        let weights = builder(tensors);
        let layer =
            |(k, inputs, outputs): (usize, usize, usize)| linear(inputs, outputs, weights.pp("layers").pp(k));
        Ok(AestheticHead { layers: LAYERS.into_iter().map(layer).collect::<Result<_, _>>()? })
    }

    /// The score of a picture from CLIP ViT-L/14's vector of length 1.
    ///
    /// # Errors
    ///
    /// A vector of another length than 768.
    pub fn score(&self, vector: Vec<f32>) -> Result<f64, ModelError> {
        let mut x = Tensor::new(vector, &Device::Cpu)?.unsqueeze(0)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        Ok(f64::from(x.flatten_all()?.to_vec1::<f32>()?[0]))
    }
}
