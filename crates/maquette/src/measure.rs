//! Measures the pictures of a run; the metrics become columns of its log.

use crate::Workspace;
use crate::error::{Error, with_causes};
use crate::metric_models::{MetricModels, ModelNames, Unavailable};
use crate::run_pictures::{RunPictures, neighbour_axis};
use crate::subject_pictures::SubjectPictures;
use maquette_core::Plan;
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
    /// Measures the pictures of a run and writes the metrics into its log, as columns at its end: those named, where the name
    /// of a model such as `clip` stands for its metrics that apply, or all that apply to the run and need no model or one of
    /// `models`. Columns that the log already has are replaced. `run` is a name such as `mucha@2`, a unique prefix, or a path.
    ///
    /// `models` names models instead of those of the experiment. Folders that the experiment names are relative to its file,
    /// those of `models` to the current folder. Nothing is downloaded. `progress` gets the number of pictures that are
    /// measured, and of all.
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
        let plan = run.plan()?;
        let metrics = match metrics {
            [] => applicable(&plan, models),
            names => named(&of_models(names, &lacking(&plan)))?,
        };
        let places = self.metric_models(&run, &plan, models);
        let mut progress = |_: &[&'static Metric], done, all| progress(done, all);
        let mut measurement =
            measure_run(&run, &plan, &metrics, &places, &mut |_, error| Err(error), &mut progress)?;
        let unused = models
            .iter()
            .filter(|(kind, _)| metrics.iter().all(|metric| metric.model != Some(kind.as_str())));
        let note = |(kind, name): (&String, &String)| {
            format!("`{name}` is not used: no metric of `{kind}` is measured")
        };
        measurement.notes.extend(unused.map(note));
        Ok(measurement)
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

/// Why something is not measured, in one sentence with what to do about it.
pub(crate) fn not_measured(what: &str, error: &Error) -> String {
    let hint = error.hint().map_or(String::new(), |hint| format!("; {}", hint.replace("\n\n", "; ")));
    format!("{what} cannot be measured: {}{hint}", with_causes(error))
}

/// The names of metrics, as in a sentence.
pub(crate) fn metric_list(metrics: &[&Metric]) -> String {
    metrics.iter().map(|metric| format!("`{}`", metric.name)).collect::<Vec<_>>().join(", ")
}

/// Names of metrics, with the metrics of a model that may apply in place of its name.
fn of_models(names: &[String], lacking: &[Needs]) -> Vec<String> {
    let of = |name: &String| -> Vec<String> {
        let of_model = METRICS.iter().filter(|metric| metric.model == Some(name.as_str()));
        let of_model: Vec<&Metric> = of_model.collect();
        if of_model.is_empty() {
            return vec![name.clone()];
        }
        let may_apply = |metric: &&&Metric| !metric.needs.iter().any(|need| lacking.contains(need));
        of_model.iter().filter(may_apply).map(|metric| metric.name.to_owned()).collect()
    };
    names.iter().flat_map(of).collect()
}

/// The metrics that need no model or one of these, and that some cell of the plan may have.
fn applicable(plan: &Plan, models: &ModelNames) -> Vec<&'static Metric> {
    let lacking = lacking(plan);
    METRICS
        .iter()
        .filter(|metric| metric.model.is_none_or(|model| models.contains_key(model)))
        .filter(|metric| !metric.needs.iter().any(|need| lacking.contains(need)))
        .collect()
}

/// What no cell of the plan has.
fn lacking(plan: &Plan) -> Vec<Needs> {
    let has_reference = plan.written("init_image").any(|picture| !picture.is_empty());
    let mut lacking = Vec::new();
    if !has_reference {
        lacking.push(Needs::Reference);
    }
    if plan.trainings.is_empty() {
        lacking.push(Needs::Subject);
    }
    if neighbour_axis(plan).is_none() {
        lacking.push(Needs::Neighbours);
    }
    lacking
}

/// Measures the pictures of a run. The run is locked meanwhile. `unavailable` is that of [`MetricModels::measurers`];
/// `progress` gets the metrics that are measured, the number of pictures that are, and of all.
pub(crate) fn measure_run(
    run: &Run,
    plan: &Plan,
    metrics: &[&'static Metric],
    models: &MetricModels,
    unavailable: &mut Unavailable,
    progress: &mut dyn FnMut(&[&'static Metric], usize, usize),
) -> Result<Measurement, Error> {
    let writer = run.metrics_writer()?;
    let mut measurers = models.measurers(metrics, unavailable)?;
    let order: Vec<&'static Metric> =
        measurers.iter().flat_map(|measurer| measurer.metrics()).copied().collect();
    let metrics: Vec<&'static Metric> =
        metrics.iter().copied().filter(|metric| order.iter().any(|one| one.name == metric.name)).collect();
    let mut notes = Vec::new();
    if metrics.is_empty() {
        return Ok(Measurement { run: run.clone(), metrics, pictures: 0, duplicates: Vec::new(), notes });
    }
    let needs = |what| metrics.iter().any(|metric| metric.needs(what));
    let subjects = match needs(Needs::Subject) {
        true => SubjectPictures::find(run, plan),
        false => SubjectPictures::default(),
    };
    let pictures = RunPictures::of(run, plan, &subjects)?;
    for lack in lacking(plan) {
        let names: Vec<&str> = metrics.iter().filter(|metric| metric.needs(lack)).map(|it| it.name).collect();
        if let Some(note) = lack_note(lack, &names) {
            notes.push(note);
        }
    }
    if needs(Needs::Reference) {
        notes.extend(pictures.missing_references());
    }
    if needs(Needs::Subject) {
        notes.extend(subjects.missing.iter().cloned().chain(pictures.unreadable_subjects()));
    }
    let axis = if needs(Needs::Neighbours) { neighbour_axis(plan) } else { None };
    let tasks = pictures.tasks(axis);
    let load = |number| pictures.load(number);
    let measured = measure(&tasks, pictures.chunk(), &load, &mut measurers, &mut |done| {
        progress(&metrics, done, tasks.len());
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
    Ok(Measurement { run, metrics, pictures, duplicates, notes })
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
        Needs::Subject => format!("{first} {verb} not apply: the experiment trains no subject"),
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
