//! The models that a measurement needs: which ones, where they are, and what computes their metrics.

use crate::Workspace;
use crate::error::Error;
use crate::vision_models;
use maquette_core::Plan;
use maquette_hub::Environment;
use maquette_metrics::{
    Embedder, MODELS, Measurer, Metric, MetricModel, ModelFolder, Pixels, model_embedder, model_measurer,
    without_model,
};
use maquette_store::Run;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The names of models by their kind, such as `clip`, where they are not the defaults.
pub type ModelNames = BTreeMap<String, String>;

/// The models of a measurement, and where they are looked for.
pub(crate) struct MetricModels {
    /// Those that the experiment names. Folders start where `bases` says.
    written: ModelNames,
    /// Those named instead. Folders start at the current one.
    given: ModelNames,
    /// The folders that `written` may be relative to, most likely first.
    bases: Vec<PathBuf>,
    /// The current folder.
    current: PathBuf,
    hub: Environment,
}

impl Workspace {
    /// The models for the pictures of a run: `given`, or those that its experiment names. The latter are looked for where
    /// the experiment would look, then around the run.
    pub(crate) fn metric_models(&self, run: &Run, plan: &Plan, given: &ModelNames) -> MetricModels {
        let bases = self.nearby(&run.dir().join("plan.json")).bases().to_vec();
        MetricModels { given: given.clone(), ..self.planned_metric_models(plan, bases) }
    }

    /// The models that an experiment names. Folders may be relative to `bases`.
    pub(crate) fn planned_metric_models(&self, plan: &Plan, bases: Vec<PathBuf>) -> MetricModels {
        MetricModels {
            written: plan.metrics.models.clone(),
            given: ModelNames::new(),
            bases,
            current: self.environment.folder.clone().unwrap_or_default(),
            hub: self.environment.hub.clone(),
        }
    }
}

/// Gets the metrics of a model that is not here or cannot be used, and the reason; its error ends the measurement.
pub(crate) type Unavailable<'a> = dyn FnMut(&[&'static Metric], Error) -> Result<(), Error> + 'a;

impl MetricModels {
    /// What computes these metrics. Downloads nothing. `unavailable` gets the metrics of a model that is not here or cannot
    /// be used, and the reason; with its error the measurement ends.
    ///
    /// # Errors
    ///
    /// Those of `unavailable`.
    pub fn measurers(
        &self,
        metrics: &[&'static Metric],
        unavailable: &mut Unavailable,
    ) -> Result<Vec<Box<dyn Measurer>>, Error> {
        let mut measurers = without_model(metrics);
        for (model, computed) in by_model(metrics) {
            let measurer = self
                .folder(model)
                .and_then(|folder| Ok(model_measurer(model.name, folder.as_ref(), computed.clone())?));
            match measurer {
                Ok(measurer) => measurers.push(measurer),
                Err(error) => unavailable(&computed, error)?,
            }
        }
        Ok(measurers)
    }

    /// The metrics whose models are not here, by model, with the error of each.
    pub fn missing(&self, metrics: &[&'static Metric]) -> Vec<(Vec<&'static Metric>, Error)> {
        let missing = |(model, computed)| Some((computed, self.folder(model).err()?));
        by_model(metrics).filter_map(missing).collect()
    }

    /// What turns pictures into vectors, by its name: `pixels`, or a model that makes vectors of pictures.
    ///
    /// # Errors
    ///
    /// [`Error::NoVisionModel`] for a model that is not here, [`Error::Vision`] for one that cannot be used, and
    /// [`Error::UnknownMeasure`] for another name.
    pub fn embedder(&self, name: &str) -> Result<Box<dyn Embedder>, Error> {
        const PIXELS: &str = "pixels";
        if name == PIXELS {
            return Ok(Box::new(Pixels));
        }
        let makes_vectors = |model: &&MetricModel| model.name != "aesthetic";
        match MODELS.iter().filter(makes_vectors).find(|model| model.name == name) {
            Some(model) => Ok(model_embedder(model.name, self.folder(model)?.as_ref())?),
            None => {
                let models = MODELS.iter().filter(makes_vectors).map(|model| model.name);
                let allowed = [PIXELS].into_iter().chain(models).map(str::to_owned).collect();
                Err(Error::UnknownMeasure { name: name.to_owned(), allowed })
            }
        }
    }

    /// The folder of a model: the one that is named, or the default one; none for the bundled model.
    fn folder(&self, model: &MetricModel) -> Result<Option<ModelFolder>, Error> {
        let Some(default) = model.default else { return Ok(None) };
        let (name, bases) = match (self.given.get(model.name), self.written.get(model.name)) {
            (Some(given), _) => (given.as_str(), std::slice::from_ref(&self.current)),
            (None, Some(written)) => (written.as_str(), &self.bases[..]),
            (None, None) => (default, &[][..]),
        };
        vision_models::find_in(name, bases, &self.hub).map(Some)
    }
}

/// The models that these metrics need, with the metrics of each.
fn by_model(
    metrics: &[&'static Metric],
) -> impl Iterator<Item = (&'static MetricModel, Vec<&'static Metric>)> {
    let of = |model: &MetricModel| -> Vec<_> {
        metrics.iter().copied().filter(|metric| metric.model == Some(model.name)).collect()
    };
    MODELS.iter().map(move |model| (model, of(model))).filter(|(_, computed)| !computed.is_empty())
}
