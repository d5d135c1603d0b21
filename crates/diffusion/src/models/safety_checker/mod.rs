//! The safety checker of Stable Diffusion 1: whether a picture is close to one of seventeen concepts.
//!
//! Formulas, thresholds and tensor names are those of diffusers' `StableDiffusionSafetyChecker`: CLIP's vision tower, a
//! projection, and cosines to embeddings of undisclosed concepts. The engine acts on the result.

use crate::error::ModelError;
use crate::models::clip_vision::{FIRST_KEY, PREPROCESSOR, Preprocessor, Vision};
use crate::weights::config::ConfigFile;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use crate::weights::tensors::{WeightFile, Weights};
use crate::weights::weight_files::WeightFiles;
use candle_core::{D, DType, Device, Result, Tensor};
use maquette_core::Image;
use maquette_kernels::Linear;

const CONFIG: &str = "safety_checker/config.json";
const WEIGHTS: &str = "safety_checker/model";

/// A model's safety checker.
pub struct SafetyChecker {
    preprocessor: Preprocessor,
    vision: Vision,
    projection: Linear,
    special: Concepts,
    concepts: Concepts,
    dtype: DType,
    device: Device,
}

/// Embeddings of unit length, `[count, width]`, and their thresholds.
struct Concepts {
    embeddings: Tensor,
    thresholds: Vec<f32>,
}

impl SafetyChecker {
    /// Whether a model has a safety checker.
    pub fn is_in(source: &ModelSource) -> bool {
        source.has(CONFIG)
    }

    /// The names of the files that are read to load it, sorted.
    pub(crate) fn files(source: &ModelSource) -> Vec<String> {
        let missing = |_| [format!("{WEIGHTS}.safetensors")].into();
        let mut files = vec![PREPROCESSOR.to_owned(), CONFIG.to_owned()];
        files.extend(source.weight_files(WEIGHTS).map_or_else(missing, WeightFiles::all));
        files.sort_unstable();
        files
    }

    /// Loads a model's `safety_checker/` and its `feature_extractor/`.
    pub fn load(
        source: &ModelSource,
        device: &Device,
        dtype: DType,
    ) -> std::result::Result<SafetyChecker, ModelError> {
        let config = ConfigFile::open(source, CONFIG)?;
        let width = config.count("projection_dim", Some(512))?;
        // Files of transformers 4 repeat values that differ from the defaults in this table, which takes precedence.
        let tower = config
            .part("vision_config_dict")?
            .map_or_else(|| config.part("vision_config"), |part| Ok(Some(part)))?;
        let tower = tower
            .ok_or_else(|| config.refuse("vision_config", "the configuration of CLIP's vision tower"))?;
        let preprocessor = Preprocessor::open(source)?;
        let file = WeightFile::open(source, WEIGHTS, config.file(), &LoadOptions::new(device, dtype))?;
        let weights = file.root();
        // Files from before transformers 5 have an additional prefix for the tower.
        let inner = weights.at("vision_model.vision_model");
        let vision = if inner.has(FIRST_KEY) { inner } else { weights.at("vision_model") };
        let vision = Vision::load(&tower, &vision)?;
        preprocessor.check_size(vision.image_size)?;
        Ok(SafetyChecker {
            preprocessor,
            projection: weights.at("visual_projection").linear(vision.width(), width, false)?,
            special: Concepts::load(&weights, "special_care_embeds", 3, width)?,
            concepts: Concepts::load(&weights, "concept_embeds", 17, width)?,
            vision,
            dtype: weights.activation_dtype(),
            device: device.clone(),
        })
    }

    /// Whether the picture is too close to a concept (`nsfw_content_detected`).
    pub fn detects(&self, image: &Image) -> Result<bool> {
        let pixels = self.preprocessor.pixels(image).map_err(candle_core::Error::wrap)?;
        let (special, concepts) = self.cosines(&pixels)?;
        Ok(verdict((&special, &self.special.thresholds), (&concepts, &self.concepts.thresholds)))
    }

    /// Cosines of prepared pixels `[3, size, size]` to the special care concepts and to the others.
    fn cosines(&self, pixels: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        let pooled = self.vision.pooled(pixels, self.dtype, &self.device)?;
        let image = unit(&self.projection.forward(&pooled)?.to_dtype(DType::F32)?.flatten_to(1)?)?;
        let cosines = |concepts: &Concepts| image.matmul(&concepts.embeddings.t()?)?.flatten_all()?.to_vec1();
        Ok((cosines(&self.special)?, cosines(&self.concepts)?))
    }
}

impl Concepts {
    fn load(
        weights: &Weights,
        name: &str,
        count: usize,
        width: usize,
    ) -> std::result::Result<Concepts, ModelError> {
        let embeddings = weights.tensor(name, &[count, width])?;
        let thresholds = weights.tensor(&format!("{name}_weights"), &[count])?;
        let on_host = || -> Result<Concepts> {
            let embeddings = unit(&embeddings.to_dtype(DType::F32)?)?;
            Ok(Concepts { embeddings, thresholds: thresholds.to_dtype(DType::F32)?.to_vec1()? })
        };
        on_host().map_err(|error| weights.device_error(error))
    }
}

/// Rows divided by their length (`torch.nn.functional.normalize`).
fn unit(rows: &Tensor) -> Result<Tensor> {
    let length = rows.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?;
    rows.broadcast_div(&length)
}

/// A cosine above its threshold is a hit; one special care hit lowers every later threshold by 0.01.
///
/// Diffusers rounds each margin to three places, half to even in f32, before it compares it with 0.
fn verdict(special: (&[f32], &[f32]), concepts: (&[f32], &[f32])) -> bool {
    let hit = |cosine: f32, threshold: f32, adjustment: f32| {
        ((cosine - threshold + adjustment) * 1000.0).round_ties_even() > 0.0
    };
    let mut adjustment = 0.0;
    for (&cosine, &threshold) in special.0.iter().zip(special.1) {
        if hit(cosine, threshold, adjustment) {
            adjustment = 0.01;
        }
    }
    concepts.0.iter().zip(concepts.1).any(|(&cosine, &threshold)| hit(cosine, threshold, adjustment))
}

#[cfg(test)]
mod tests;
