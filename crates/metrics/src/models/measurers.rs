//! The models as measurers and embedders: the metrics of each, and the cosines between its vectors.

use super::encoder::cosine;
use super::{AestheticPredictor, Encoder, EncoderFamily, Likeness, ModelError, ModelFolder, Traits};
use crate::{Embedder, Measurer, Metric, Score, Subject};
use maquette_core::{Digest, Image};
use std::collections::HashMap;
use std::sync::Arc;

/// The measurer of some metrics of one model: a name in [`crate::MODELS`]. `folder` is where the model is; the bundled one
/// needs none.
///
/// # Errors
///
/// A model that cannot be opened, as for [`Encoder::open`]; a model that has no measurer.
pub fn model_measurer(
    model: &str,
    folder: Option<&ModelFolder>,
    metrics: Vec<&'static Metric>,
) -> Result<Box<dyn Measurer>, ModelError> {
    Ok(match (model, folder) {
        ("sketchbook", _) => {
            Box::new(OfTraits { network: Likeness::bundled()?, metrics, known: Known::default() })
        }
        ("aesthetic", Some(folder)) => {
            Box::new(OfTaste { model: AestheticPredictor::open(folder)?, metrics })
        }
        (name, Some(folder)) => Box::new(OfVectors {
            encoder: Encoder::open(folder, family(name, folder)?)?,
            metrics,
            texts: HashMap::new(),
            images: Known::default(),
        }),
        (name, None) => return Err(ModelError::NoFolder(name.to_owned())),
    })
}

/// The embedder of one model: `clip`, `siglip`, or `sketchbook`, whose vectors are the sitter's traits.
///
/// # Errors
///
/// A model that cannot be opened, or that makes no vectors.
pub fn model_embedder(model: &str, folder: Option<&ModelFolder>) -> Result<Box<dyn Embedder>, ModelError> {
    Ok(match (model, folder) {
        ("sketchbook", _) => Box::new(Likeness::bundled()?),
        (name, Some(folder)) => Box::new(Encoder::open(folder, family(name, folder)?)?),
        (name, None) => return Err(ModelError::NoFolder(name.to_owned())),
    })
}

fn family(model: &str, folder: &ModelFolder) -> Result<EncoderFamily, ModelError> {
    match model {
        "clip" => Ok(EncoderFamily::Clip),
        "siglip" => Ok(EncoderFamily::Siglip),
        other => {
            Err(folder.unsupported(format!("`{other}` makes no vectors; allowed: clip, siglip, sketchbook")))
        }
    }
}

/// What a model found in pictures seen before, such as the reference of all cells; by their pixels.
struct Known<T>(HashMap<Digest, Arc<T>>);

/// The most pictures remembered. A vector has some kilobytes.
const MOST: usize = 1024;

impl<T> Default for Known<T> {
    fn default() -> Known<T> {
        Known(HashMap::new())
    }
}

impl<T> Known<T> {
    fn of(
        &mut self,
        image: &Image,
        compute: impl FnOnce(&Image) -> Result<T, ModelError>,
    ) -> Result<Arc<T>, ModelError> {
        let digest = image.digest();
        if let Some(found) = self.0.get(&digest) {
            return Ok(Arc::clone(found));
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let computed = Arc::new(compute(image)?);
        self.0.insert(digest, Arc::clone(&computed));
        Ok(computed)
    }
}

/// `clip_text`, `clip_reference`, `siglip_text`, `siglip_reference`.
struct OfVectors {
    encoder: Encoder,
    metrics: Vec<&'static Metric>,
    texts: HashMap<Arc<str>, Vec<f32>>,
    images: Known<Vec<f32>>,
}

impl OfVectors {
    fn text(&mut self, text: &Arc<str>) -> Result<&[f32], ModelError> {
        if !self.texts.contains_key(text) {
            if self.texts.len() >= MOST {
                self.texts.clear();
            }
            let vector = self.encoder.text(text)?;
            self.texts.insert(Arc::clone(text), vector);
        }
        Ok(&self.texts[text])
    }

    fn values(&mut self, subject: &Subject) -> Result<Vec<Option<Score>>, ModelError> {
        let seen = self.images.of(&subject.image, |image| self.encoder.image(image))?;
        let mut values = Vec::new();
        for metric in self.metrics.clone() {
            values.push(match metric.name {
                "clip_text" | "siglip_text" if subject.prompt.is_empty() => None,
                "clip_text" | "siglip_text" => Some(cosine(&seen, self.text(&subject.prompt)?)),
                _ => match &subject.reference {
                    None => None,
                    Some(image) => {
                        let reference = self.images.of(image, |image| self.encoder.image(image))?;
                        Some(cosine(&seen, &reference))
                    }
                },
            });
        }
        Ok(values.into_iter().map(|value| value.map(Score::Number)).collect())
    }
}

impl Measurer for OfVectors {
    fn metrics(&self) -> &[&'static Metric] {
        &self.metrics
    }

    fn measure(&mut self, batch: &[Subject]) -> Result<Vec<Vec<Option<Score>>>, String> {
        batch.iter().map(|subject| self.values(subject).map_err(|error| error.to_string())).collect()
    }
}

/// `aesthetic`.
struct OfTaste {
    model: AestheticPredictor,
    metrics: Vec<&'static Metric>,
}

impl Measurer for OfTaste {
    fn metrics(&self) -> &[&'static Metric] {
        &self.metrics
    }

    fn measure(&mut self, batch: &[Subject]) -> Result<Vec<Vec<Option<Score>>>, String> {
        let score = |subject: &Subject| {
            let score = self.model.score(&subject.image).map_err(|error| error.to_string())?;
            Ok(vec![Some(Score::Number(score)); self.metrics.len()])
        };
        batch.iter().map(score).collect()
    }
}

/// `sketchbook_likeness`.
struct OfTraits {
    network: Likeness,
    metrics: Vec<&'static Metric>,
    known: Known<Traits>,
}

impl Measurer for OfTraits {
    fn metrics(&self) -> &[&'static Metric] {
        &self.metrics
    }

    fn measure(&mut self, batch: &[Subject]) -> Result<Vec<Vec<Option<Score>>>, String> {
        let mut rows = Vec::new();
        for subject in batch {
            let mut traits = |image: &Image| {
                self.known.of(image, |image| self.network.traits(image)).map_err(|error| error.to_string())
            };
            let value = match &subject.reference {
                None => None,
                Some(reference) => {
                    let reference = traits(reference)?;
                    Some(Score::Number(traits(&subject.image)?.likeness(&reference)))
                }
            };
            rows.push(vec![value; self.metrics.len()]);
        }
        Ok(rows)
    }
}

impl Embedder for Encoder {
    fn name(&self) -> &'static str {
        self.family().as_str()
    }

    fn about(&self) -> String {
        let name = match self.family() {
            EncoderFamily::Clip => "CLIP",
            EncoderFamily::Siglip => "SigLIP",
        };
        format!("distance between {name}'s vectors of length 1")
    }

    fn embed(&mut self, batch: &[Arc<Image>]) -> Result<Vec<Vec<f32>>, String> {
        batch.iter().map(|image| self.image(image).map_err(|error| error.to_string())).collect()
    }
}

impl Embedder for Likeness {
    fn name(&self) -> &'static str {
        "sketchbook"
    }

    fn about(&self) -> String {
        "distance between the sitters' traits: the roots of the probabilities of seven attributes, and ten numbers in standard deviations".to_owned()
    }

    fn embed(&mut self, batch: &[Arc<Image>]) -> Result<Vec<Vec<f32>>, String> {
        let vector = |image: &Arc<Image>| self.traits(image).map(|traits| traits.vector());
        batch.iter().map(|image| vector(image).map_err(|error| error.to_string())).collect()
    }
}
