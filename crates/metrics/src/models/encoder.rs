//! A model that turns pictures and texts into vectors of one space, whichever family it is of.

use super::ModelError;
use super::clip::{ClipText, ClipVision};
use super::folder::{ModelFolder, number};
use super::siglip::Siglip;
use maquette_core::Image;

/// A model of pictures and texts.
pub struct Encoder {
    model: Model,
}

/// The families of such models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderFamily {
    /// CLIP.
    Clip,
    /// SigLIP, and SigLIP 2 of a fixed size.
    Siglip,
}

enum Model {
    Clip(Box<(ClipVision, ClipText)>),
    Siglip(Box<Siglip>),
}

impl EncoderFamily {
    /// Its key in `[metrics]`: `clip` or `siglip`.
    pub fn as_str(self) -> &'static str {
        match self {
            EncoderFamily::Clip => "clip",
            EncoderFamily::Siglip => "siglip",
        }
    }

    /// The family of a folder, by `model_type` in its `config.json`.
    fn of(folder: &ModelFolder, kind: Option<&str>) -> Result<EncoderFamily, ModelError> {
        match kind {
            Some("clip") => Ok(EncoderFamily::Clip),
            Some("siglip") => Ok(EncoderFamily::Siglip),
            Some("siglip2") => Err(folder.unsupported(
                "it is a SigLIP 2 model of flexible sizes (NaFlex), which candle cannot compute; SigLIP 2 models of a fixed size can be used, such as google/siglip2-base-patch16-224",
            )),
            other => {
                let other = other.unwrap_or("missing");
                let reason = format!("`model_type` is {other} in its config.json; allowed: clip, siglip");
                Err(folder.unsupported(reason))
            }
        }
    }
}

impl Encoder {
    /// The model of that family in a folder.
    ///
    /// # Errors
    ///
    /// A missing or unreadable file, a model of another family, or one that candle cannot compute exactly.
    pub fn open(folder: &ModelFolder, family: EncoderFamily) -> Result<Encoder, ModelError> {
        let config = folder.config()?;
        let found = EncoderFamily::of(folder, config["model_type"].as_str())?;
        if found != family {
            let (is, should) = (found.as_str(), family.as_str());
            return Err(folder.unsupported(format!("it is a model for `{is}`, not for `{should}`")));
        }
        let model = match family {
            EncoderFamily::Clip => {
                let size = number(&config, "projection_dim", 512);
                let vision = ClipVision::open(folder, &config["vision_config"], size)?;
                Model::Clip(Box::new((vision, ClipText::open(folder, &config["text_config"], size)?)))
            }
            EncoderFamily::Siglip => Model::Siglip(Box::new(Siglip::open(folder, &config)?)),
        };
        Ok(Encoder { model })
    }

    /// The family.
    pub fn family(&self) -> EncoderFamily {
        match self.model {
            Model::Clip(_) => EncoderFamily::Clip,
            Model::Siglip(_) => EncoderFamily::Siglip,
        }
    }

    /// The vector of a picture, of length 1. Computed alone, so that it does not depend on other pictures.
    ///
    /// # Errors
    ///
    /// A picture that cannot be prepared.
    pub fn image(&self, image: &Image) -> Result<Vec<f32>, ModelError> {
        match &self.model {
            Model::Clip(clip) => clip.0.embed(image),
            Model::Siglip(siglip) => siglip.embed(image),
        }
        .map(normalised)
    }

    /// The vector of a text, of length 1. What exceeds the model's length (77 tokens for CLIP, 64 for SigLIP) is cut off.
    ///
    /// # Errors
    ///
    /// A text that the tokenizer cannot encode.
    pub fn text(&self, text: &str) -> Result<Vec<f32>, ModelError> {
        match &self.model {
            Model::Clip(clip) => clip.1.embed(text),
            Model::Siglip(siglip) => siglip.embed_text(text),
        }
        .map(normalised)
    }

    #[cfg(test)]
    pub(super) fn ids(&self, text: &str) -> Vec<u32> {
        match &self.model {
            Model::Clip(clip) => clip.1.ids(text),
            Model::Siglip(siglip) => siglip.ids(text),
        }
    }
}

/// The vector divided by its length.
pub(super) fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    }
    vector
}

/// The cosine of two vectors of length 1.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>().clamp(-1.0, 1.0)
}
