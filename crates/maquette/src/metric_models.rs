//! The models that a measurement needs: which ones, where they are, and what computes their metrics.

use crate::error::Error;
use crate::vision_models;
use maquette_hub::Environment;
use maquette_metrics::{
    Embedder, MODELS, Measurer, Metric, MetricModel, ModelFolder, Pixels, model_embedder, model_measurer,
    without_model,
};
use std::collections::BTreeMap;
use std::path::Path;

/// The names of models by their kind, such as `clip`, where they are not the defaults.
pub type ModelNames = BTreeMap<String, String>;

/// What computes these metrics. Downloads nothing.
///
/// # Errors
///
/// [`Error::NoVisionModel`] for a model that is not here, and [`Error::Vision`] for one that cannot be used.
pub(crate) fn measurers(
    metrics: &[&'static Metric],
    names: &ModelNames,
    hub: &Environment,
) -> Result<Vec<Box<dyn Measurer>>, Error> {
    let mut measurers = without_model(metrics);
    for model in MODELS {
        let computed: Vec<_> =
            metrics.iter().copied().filter(|metric| metric.model == Some(model.name)).collect();
        if !computed.is_empty() {
            measurers.push(model_measurer(model.name, folder(model, names, hub)?.as_ref(), computed)?);
        }
    }
    Ok(measurers)
}

/// What turns pictures into vectors, by its name: `pixels`, or a model that makes vectors of pictures.
///
/// # Errors
///
/// As for [`measurers`]; [`Error::UnknownMeasure`] for another name.
pub(crate) fn embedder(
    name: &str,
    names: &ModelNames,
    hub: &Environment,
) -> Result<Box<dyn Embedder>, Error> {
    const PIXELS: &str = "pixels";
    if name == PIXELS {
        return Ok(Box::new(Pixels));
    }
    let makes_vectors = |model: &&MetricModel| model.name != "aesthetic";
    match MODELS.iter().filter(makes_vectors).find(|model| model.name == name) {
        Some(model) => Ok(model_embedder(model.name, folder(model, names, hub)?.as_ref())?),
        None => {
            let models = MODELS.iter().filter(makes_vectors).map(|model| model.name);
            let allowed = [PIXELS].into_iter().chain(models).map(str::to_owned).collect();
            Err(Error::UnknownMeasure { name: name.to_owned(), allowed })
        }
    }
}

/// The folder of a model: the one that is named, or the default one; none for the bundled model.
fn folder(model: &MetricModel, names: &ModelNames, hub: &Environment) -> Result<Option<ModelFolder>, Error> {
    let Some(default) = model.default else { return Ok(None) };
    let name = names.get(model.name).map_or(default, String::as_str);
    vision_models::find(name, Path::new(""), hub).map(Some)
}
