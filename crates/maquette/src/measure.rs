//! Measures the pictures of a run; the metrics become columns of its log.

use crate::Workspace;
use crate::error::Error;
use crate::metric_models::{ModelNames, measurers};
use crate::run_pictures::{RunPictures, neighbour_axis};
use maquette_core::Plan;
use maquette_hub::Environment;
use maquette_metrics::{METRICS, MODELS, Metric, Needs, Score, measure};
use maquette_planner::{MetricNames, did_you_mean};
use maquette_store::Run;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The result of a measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The run.
    pub run: Run,
    /// The metrics that are now columns of its log.
    pub metrics: Vec<&'static Metric>,
    /// How many pictures have values.
    pub pictures: usize,
    /// The pictures that look the same as an earlier one although their settings differ.
    pub duplicates: Vec<Duplicate>,
    /// What could not be measured and why, each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// A picture that looks the same as an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The short name of its cell.
    pub cell: String,
    /// The label of its cell.
    pub label: String,
    /// The short name of the earlier cell.
    pub of: String,
    /// The label of the earlier cell.
    pub of_label: String,
}

/// The JSON Schema of the experiment file.
pub fn schema() -> String {
    maquette_planner::schema(&metric_names())
}

/// The names that `[metrics]` of an experiment may use.
pub(crate) fn metric_names() -> MetricNames<'static> {
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| METRICS.iter().map(|metric| metric.name).collect());
    static KEYS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let replaceable = MODELS.iter().filter(|model| model.default.is_some());
        replaceable.map(|model| (model.name, model.about)).collect()
    });
    MetricNames { metrics: &NAMES, models: &KEYS }
}

impl Workspace {
    /// Measures the pictures of a run and writes the metrics into its log, as columns at its end: those named, or all that
    /// need no model and apply to the run. Columns that the log already has are replaced. `run` is a name such as
    /// `mucha@2`, a unique prefix, or a path. `models` names models instead of those of the experiment, folders relative to the
    /// current one; nothing is downloaded. `progress` gets the number of pictures that are measured, and of all.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMetric`]; [`Error::Store`] if the run is not found, is in use, or its log cannot be written;
    /// [`Error::NoVisionModel`], [`Error::Vision`] or [`Error::Metrics`] if a model is not here or cannot be used.
    pub fn measure(
        &self,
        run: &str,
        metrics: &[String],
        models: &ModelNames,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Measurement, Error> {
        let run = self.runs.find(run)?;
        let mut plan = run.plan()?;
        plan.metrics.models.extend(models.clone());
        let metrics = match metrics {
            [] => applicable(&plan),
            names => named(names)?,
        };
        measure_run(&run, &plan, &metrics, &self.environment.hub, progress)
    }
}

/// The metrics of these names, in the table's order, each once.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static Metric>, Error> {
    if let Some(name) = names.iter().find(|name| Metric::named(name).is_none()) {
        let all = || METRICS.iter().map(|metric| metric.name);
        let hint = did_you_mean(name, all()).unwrap_or_else(|| {
            let all: Vec<String> = all().map(|name| format!("`{name}`")).collect();
            format!("allowed: {}", all.join(", "))
        });
        return Err(Error::UnknownMetric { name: name.clone(), hint });
    }
    Ok(METRICS.iter().filter(|metric| names.iter().any(|name| name == metric.name)).collect())
}

/// The metrics that need no model and that some cell of the plan may have.
fn applicable(plan: &Plan) -> Vec<&'static Metric> {
    let lacking = lacking(plan);
    METRICS
        .iter()
        .filter(|metric| metric.model.is_none() && !metric.needs.iter().any(|need| lacking.contains(need)))
        .collect()
}

/// What no cell of the plan has.
fn lacking(plan: &Plan) -> Vec<Needs> {
    let has_reference = plan.written("init_image").any(|picture| !picture.is_empty());
    let mut lacking = Vec::new();
    if !has_reference {
        lacking.push(Needs::Reference);
    }
    if neighbour_axis(plan).is_none() {
        lacking.push(Needs::Neighbours);
    }
    lacking
}

/// Measures the pictures of a run. The run is locked meanwhile.
pub(crate) fn measure_run(
    run: &Run,
    plan: &Plan,
    metrics: &[&'static Metric],
    hub: &Environment,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Measurement, Error> {
    let writer = run.metrics_writer()?;
    let pictures = RunPictures::of(run, plan)?;
    let needs = |what| metrics.iter().any(|metric| metric.needs(what));
    let mut notes = Vec::new();
    for lack in lacking(plan) {
        let names: Vec<&str> = metrics.iter().filter(|metric| metric.needs(lack)).map(|it| it.name).collect();
        if let Some(note) = lack_note(lack, &names) {
            notes.push(note);
        }
    }
    if needs(Needs::Reference) {
        notes.extend(pictures.missing_references());
    }
    let axis = if needs(Needs::Neighbours) { neighbour_axis(plan) } else { None };
    let tasks = pictures.tasks(axis);
    let mut measurers = measurers(metrics, &plan.metrics.models, hub)?;
    let order: Vec<&'static Metric> =
        measurers.iter().flat_map(|measurer| measurer.metrics()).copied().collect();
    let load = |number| pictures.load(number);
    let measured = measure(&tasks, pictures.chunk(), &load, &mut measurers, &mut |done| {
        progress(done, tasks.len());
        true
    })
    .map_err(Error::Metrics)?;

    let (mut texts, mut duplicates, mut unreadable) = (HashMap::new(), Vec::new(), Vec::new());
    let labels: HashMap<String, &str> =
        pictures.pictures.iter().map(|picture| (picture.cell.short(), picture.label.as_str())).collect();
    for (picture, values) in pictures.pictures.iter().zip(measured) {
        let values = match values {
            Ok(values) => values,
            Err(problem) => {
                unreadable.push(problem);
                continue;
            }
        };
        let by_metric: HashMap<&str, &Option<Score>> =
            order.iter().map(|metric| metric.name).zip(&values).collect();
        let text = |metric: &&'static Metric| match by_metric.get(metric.name) {
            Some(Some(score)) => score.to_string(),
            _ => String::new(),
        };
        if let Some(Some(Score::Text(of))) = by_metric.get("duplicate_of") {
            duplicates.push(Duplicate {
                cell: picture.cell.short(),
                label: picture.label.clone(),
                of_label: labels.get(of).copied().unwrap_or_default().to_owned(),
                of: of.clone(),
            });
        }
        texts.insert(picture.cell, metrics.iter().map(text).collect::<Vec<_>>());
    }
    notes.extend(unreadable_note(&unreadable));
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name).collect();
    writer.write(&names, &texts)?;
    let (run, pictures) = (run.clone(), texts.len());
    Ok(Measurement { run, metrics: metrics.to_vec(), pictures, duplicates, notes })
}

fn lack_note(lack: Needs, names: &[&str]) -> Option<String> {
    let (first, verb) = match names {
        [] => return None,
        [name] => (format!("`{name}`"), "does"),
        [first, ..] => (format!("`{first}` and {} more", names.len() - 1), "do"),
    };
    Some(match lack {
        Needs::Reference => {
            format!("{first} {verb} not apply: no cell has a reference picture (`init_image`)")
        }
        Needs::Neighbours => format!(
            "{first} {verb} not apply: there is no axis of numbers besides seeds; name one with `neighbours` in [metrics]"
        ),
        Needs::Prompt | Needs::Run => return None,
    })
}

fn unreadable_note(problems: &[String]) -> Option<String> {
    match problems {
        [] => None,
        [problem] => Some(format!("a picture has no metrics: {problem}")),
        [first, ..] => {
            Some(format!("{} pictures have no metrics, the first because {first}", problems.len()))
        }
    }
}

/// Whether the log has values of every metric that the plan names.
pub(crate) fn is_measured(run: &Run, metrics: &[&'static Metric]) -> bool {
    let has = |row: &maquette_store::LogRow| {
        metrics.iter().all(|metric| row.metrics().any(|(name, _)| name == metric.name))
    };
    run.log().is_ok_and(|log| log.iter().all(has))
}
