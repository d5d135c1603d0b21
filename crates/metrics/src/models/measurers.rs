//! The models as measurers and embedders: the metrics of each, and the cosines between its vectors.

use super::encoder::cosine;
use super::{AestheticPredictor, Encoder, EncoderFamily, Likeness, ModelError, ModelFolder, Traits};
use crate::{Embedder, Measurer, Metric, MetricInput, Needs, Score};
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

/// The pictures that the metric compares the picture with.
fn others<'a>(metric: &Metric, input: &'a MetricInput) -> &'a [Arc<Image>] {
    match metric.needs(Needs::Subject) {
        true => &input.subject,
        false => input.reference.as_slice(),
    }
}

/// The mean of a value over pictures; `None` of no pictures.
fn mean<E>(images: &[Arc<Image>], mut value: impl FnMut(&Image) -> Result<f64, E>) -> Result<Option<f64>, E> {
    let mut sum = 0.0;
    for image in images {
        sum += value(image)?;
    }
    Ok(Some(sum / images.len() as f64).filter(|_| !images.is_empty()))
}

/// The metrics of CLIP or SigLIP.
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

    fn values(&mut self, input: &MetricInput) -> Result<Vec<Option<Score>>, ModelError> {
        let seen = self.images.of(&input.image, |image| self.encoder.image(image))?;
        let mut values = Vec::new();
        for metric in self.metrics.clone() {
            values.push(match metric.name {
                "clip_text" | "siglip_text" if input.prompt.is_empty() => None,
                "clip_text" | "siglip_text" => Some(cosine(&seen, self.text(&input.prompt)?)),
                _ => mean(others(metric, input), |image| {
                    let other = self.images.of(image, |image| self.encoder.image(image))?;
                    Ok::<f64, ModelError>(cosine(&seen, &other))
                })?,
            });
        }
        Ok(values.into_iter().map(|value| value.map(Score::Number)).collect())
    }
}

impl Measurer for OfVectors {
    fn metrics(&self) -> &[&'static Metric] {
        &self.metrics
    }

    fn measure(&mut self, batch: &[MetricInput]) -> Result<Vec<Vec<Option<Score>>>, String> {
        batch.iter().map(|input| self.values(input).map_err(|error| error.to_string())).collect()
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

    fn measure(&mut self, batch: &[MetricInput]) -> Result<Vec<Vec<Option<Score>>>, String> {
        let score = |input: &MetricInput| {
            let score = self.model.score(&input.image).map_err(|error| error.to_string())?;
            Ok(vec![Some(Score::Number(score)); self.metrics.len()])
        };
        batch.iter().map(score).collect()
    }
}

/// `sketchbook_likeness`, `sketchbook_subject`.
struct OfTraits {
    network: Likeness,
    metrics: Vec<&'static Metric>,
    known: Known<Traits>,
}

impl Measurer for OfTraits {
    fn metrics(&self) -> &[&'static Metric] {
        &self.metrics
    }

    fn measure(&mut self, batch: &[MetricInput]) -> Result<Vec<Vec<Option<Score>>>, String> {
        let mut rows = Vec::new();
        for input in batch {
            let mut traits = |image: &Image| {
                self.known.of(image, |image| self.network.traits(image)).map_err(|error| error.to_string())
            };
            let seen = traits(&input.image)?;
            let likeness = |metric: &&Metric| {
                mean(others(metric, input), |image| Ok::<f64, String>(seen.likeness(&*traits(image)?)))
            };
            let values: Result<Vec<Option<f64>>, String> = self.metrics.iter().map(likeness).collect();
            rows.push(values?.into_iter().map(|value| value.map(Score::Number)).collect());
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
