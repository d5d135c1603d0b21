//! Which setting mattered: how much the pictures of a run change along each axis, and a metric along one axis.

use crate::Workspace;
use crate::error::Error;
use crate::measure::named;
use crate::metric_models::ModelNames;
use crate::run_pictures::{RunPictures, axis_numbers, neighbour_axis};
use crate::subject_pictures::SubjectPictures;
use maquette_analysis::{Axis, Curve, Effects, curves, effects};
use maquette_core::{Digest, Plan};
use maquette_metrics::{Metric, Needs, embed};
use maquette_store::{LogRow, Run};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What to analyse.
#[derive(Debug, Clone, Default)]
pub struct EffectsOptions {
    /// The measure of distance between pictures: `pixels`, or a model with vectors of pictures. `pixels` if `None`.
    pub measure: Option<String>,
    /// The metric of the curves, whose effects are computed as well. If `None`, the curves show the best known likeness to
    /// the reference picture.
    pub metric: Option<String>,
    /// The axis along which the curves run; `strength`, or the innermost axis of numbers, if `None`.
    pub along: Option<String>,
    /// The axis with a curve for each value; the first one that is neither numbers nor seeds if `None`.
    pub lines: Option<String>,
    /// Models instead of those of the experiment; folders are relative to the current one.
    pub models: ModelNames,
}

/// The effects of a run's axes.
#[derive(Debug, Clone, Serialize)]
pub struct RunEffects {
    /// The run.
    #[serde(skip)]
    pub run: Run,
    /// Its name.
    #[serde(rename = "run")]
    pub name: String,
    /// How many pictures were compared.
    pub pictures: usize,
    /// The labels of the values of each axis.
    pub axes: Vec<AxisLabels>,
    /// By the measure, and by the metric if one was named.
    pub effects: Vec<Effects>,
    /// The metric along an axis, if there is such a metric and axis.
    pub curves: Option<RunCurves>,
    /// What could not be computed and why, each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// An axis with the labels of its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AxisLabels {
    /// The axis.
    pub name: String,
    /// The labels.
    pub values: Vec<String>,
}

/// A metric along an axis of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunCurves {
    /// The metric.
    pub metric: String,
    /// The axis along which the curves run.
    pub along: String,
    /// Its values, ascending.
    pub x: Vec<f64>,
    /// The axis with a curve for each value; `None` if there is one curve.
    pub lines: Option<String>,
    /// The axes over which the bands spread.
    pub spread: Vec<String>,
    /// The curves, their points in the order of `x`.
    pub curves: Vec<RunCurve>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunCurve {
    /// The label of its value; empty if there is one curve.
    pub label: String,
    /// Its points.
    #[serde(flatten)]
    pub curve: Curve,
}

/// The content of `effects.json` in a run.
#[derive(Serialize, Deserialize)]
struct EffectsFile {
    /// The version of the file; the first versions did not write it.
    #[serde(default = "first_format")]
    format: u32,
    /// The pictures that the effects are of.
    pictures: Digest,
    effects: Vec<Effects>,
}

/// The version of `effects.json`. A file of a newer version is computed again, as one of other pictures is.
const FORMAT: u32 = 1;

fn first_format() -> u32 {
    1
}

impl Workspace {
    /// Computes how much the pictures of a run change along each axis, and stores it in the run as `effects.json`. `run` is
    /// a name such as `mucha@2`, a unique prefix, or a path. `progress` gets the number of pictures that are read, and of
    /// all.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found or cannot be read or written; [`Error::UnknownMeasure`];
    /// [`Error::UnknownMetric`]; [`Error::NotMeasured`] if the log has no values of the metric; [`Error::NoSuchAxis`].
    pub fn effects(
        &self,
        run: &str,
        options: &EffectsOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<RunEffects, Error> {
        let run = self.runs.find(run)?;
        let plan = run.plan()?;
        let log = run.log()?;
        let metric = options.metric.as_ref().map(|name| named(std::slice::from_ref(name))).transpose()?;
        let metric = metric.and_then(|metrics| metrics.first().copied());
        let measure = options.measure.as_deref().unwrap_or("pixels");
        let mut embedder = self.metric_models(&run, &plan, &options.models).embedder(measure)?;
        let pictures = RunPictures::of(&run, &plan, &SubjectPictures::default())?;
        let axes: Vec<Axis> = plan
            .axes
            .iter()
            .map(|axis| Axis { name: axis.name.clone(), values: axis.values.len() })
            .collect();
        let mut notes = Vec::new();

        let numbers: Vec<usize> = (0..pictures.pictures.len()).collect();
        let load = |number| pictures.load(number);
        let vectors = embed(&numbers, pictures.chunk(), &load, embedder.as_mut(), &mut |done| {
            progress(done, numbers.len());
        })
        .map_err(Error::Metrics)?;
        let unreadable = vectors.iter().filter(|vector| vector.is_none()).count();
        if unreadable > 0 {
            notes.push(format!("{unreadable} pictures cannot be read and are left out"));
        }
        let cells: Vec<(Vec<usize>, &[f32])> = pictures
            .positions()
            .filter_map(|(coordinates, number)| Some((coordinates, vectors[number?].as_deref()?)))
            .collect();
        let mut found: Vec<Effects> =
            effects(embedder.name(), &embedder.about(), &axes, &cells).into_iter().collect();
        if found.is_empty() {
            notes.push("there are no effects: they need two pictures and an axis with two values".to_owned());
        }
        let metric = match metric {
            Some(metric) => {
                let scores = scores(&pictures, &log, metric);
                if scores.is_empty() {
                    let (metric, run) = (metric.name.to_owned(), run.to_string());
                    return Err(Error::NotMeasured { metric, run });
                }
                let single: Vec<[f32; 1]> = scores.iter().map(|(_, score)| [*score as f32]).collect();
                let cells: Vec<(Vec<usize>, &[f32])> = scores
                    .iter()
                    .zip(&single)
                    .map(|((at, _), score)| (at.clone(), score.as_slice()))
                    .collect();
                found.extend(effects(metric.name, metric.about, &axes, &cells));
                Some(metric)
            }
            None => likeness(&log),
        };
        let curves = match metric {
            Some(metric) => run_curves(&plan, options, metric, &scores(&pictures, &log, metric), &mut notes)?,
            None => {
                notes.push(format!(
                    "there are no curves: no likeness to a reference picture is in the log; `maquette measure {run}` \
                     measures it"
                ));
                None
            }
        };
        store(&run, &log, &found)?;
        let labels = |axis: &maquette_core::Axis| AxisLabels {
            name: axis.name.clone(),
            values: axis.values.iter().map(|value| value.label.clone()).collect(),
        };
        Ok(RunEffects {
            name: run.to_string(),
            pictures: pictures.pictures.len() - unreadable,
            axes: plan.axes.iter().map(labels).collect(),
            run,
            effects: found,
            curves,
            notes,
        })
    }
}

/// The effects in a run's `effects.json`, by measure, unless pictures have changed since they were computed.
pub fn stored_effects(run: &Run) -> Vec<Effects> {
    let Ok(log) = run.log() else { return Vec::new() };
    read(run, &pictures_digest(&log))
}

fn read(run: &Run, pictures: &Digest) -> Vec<Effects> {
    let bytes = run.read_effects().ok().flatten().unwrap_or_default();
    match serde_json::from_slice::<EffectsFile>(&bytes) {
        Ok(file) if file.format == FORMAT && file.pictures == *pictures => file.effects,
        _ => Vec::new(),
    }
}

/// Writes effects into the run; those by other measures of the same pictures stay.
fn store(run: &Run, log: &[LogRow], found: &[Effects]) -> Result<(), Error> {
    let pictures = pictures_digest(log);
    let mut effects = found.to_vec();
    effects.extend(
        read(run, &pictures).into_iter().filter(|old| found.iter().all(|new| new.measure != old.measure)),
    );
    effects.sort_by(|a, b| a.measure.cmp(&b.measure));
    let mut text =
        serde_json::to_vec_pretty(&EffectsFile { format: FORMAT, pictures, effects }).unwrap_or_default();
    text.push(b'\n');
    run.write_effects(&text)?;
    Ok(())
}

/// A digest of the finished cells and their pixels.
fn pictures_digest(log: &[LogRow]) -> Digest {
    let mut lines: Vec<String> = log
        .iter()
        .filter(|row| row.image().is_some())
        .map(|row| {
            format!("{} {}\n", row.cell(), row.pixels().map_or(String::new(), |pixels| pixels.to_string()))
        })
        .collect();
    lines.sort();
    Digest::of(lines.concat().as_bytes())
}

/// The finite values of a metric, by position in the grid.
fn scores(pictures: &RunPictures<'_>, log: &[LogRow], metric: &Metric) -> Vec<(Vec<usize>, f64)> {
    let by_cell: HashMap<_, f64> = log
        .iter()
        .filter_map(|row| Some((row.cell(), row.metric(metric.name)?.parse::<f64>().ok()?)))
        .filter(|(_, score)| score.is_finite())
        .collect();
    let score = |number: Option<usize>| by_cell.get(&pictures.pictures[number?].cell).copied();
    pictures.positions().filter_map(|(coordinates, number)| Some((coordinates, score(number)?))).collect()
}

/// The metric in the log that says best how like a picture is to its reference or subject: of a model, otherwise structural
/// similarity, otherwise any.
fn likeness(log: &[LogRow]) -> Option<&'static Metric> {
    let measured = |metric: &&Metric| log.iter().any(|row| row.metric(metric.name).is_some());
    let candidates = maquette_metrics::METRICS
        .iter()
        .filter(|metric| (metric.needs(Needs::Reference) || metric.needs(Needs::Subject)) && !metric.text)
        .filter(measured);
    // The last of the best: of several models the latest in the table.
    candidates.max_by_key(|metric| (metric.model.is_some(), metric.name == "ssim"))
}

fn run_curves(
    plan: &Plan,
    options: &EffectsOptions,
    metric: &Metric,
    scores: &[(Vec<usize>, f64)],
    notes: &mut Vec<String>,
) -> Result<Option<RunCurves>, Error> {
    let position = |name: &String| {
        let found = plan.axes.iter().position(|axis| axis.name == *name);
        let axes = plan.axes.iter().map(|axis| axis.name.clone()).collect();
        found.ok_or_else(|| Error::NoSuchAxis { name: name.clone(), axes })
    };
    let strength = plan.axes.iter().position(|axis| axis.name == "strength" && axis.values.len() > 1);
    let along = match &options.along {
        Some(name) => Some(position(name)?),
        None => strength.or_else(|| neighbour_axis(plan)),
    };
    let Some((along, numbers)) = along.and_then(|along| Some((along, axis_numbers(&plan.axes[along])?)))
    else {
        match &options.along {
            Some(name) => notes.push(format!("there are no curves: the values of `{name}` are not numbers")),
            None => notes.push("there are no curves: there is no axis of numbers besides seeds".to_owned()),
        }
        return Ok(None);
    };
    let is_text = |axis: &maquette_core::Axis| {
        let numbers =
            |set: &[(String, maquette_core::Value)]| set.iter().all(|(_, it)| it.as_number().is_some());
        axis.values.len() > 1 && !axis.values.iter().all(|value| numbers(&value.set))
    };
    let lines = match &options.lines {
        Some(name) => Some(position(name)?),
        None => plan.axes.iter().position(is_text),
    };
    let lines = lines.filter(|lines| *lines != along);
    let count = |axis: usize| (axis, plan.axes[axis].values.len());
    let mut found = curves(count(along), lines.map(count), scores);
    // Values may be in any order in the file, and twice.
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    for curve in &mut found {
        curve.points = order.iter().map(|&at| curve.points[at]).collect();
    }
    let label = |line: Option<usize>| match (lines, line) {
        (Some(axis), Some(at)) => plan.axes[axis].describe(at),
        _ => String::new(),
    };
    let others = (0..plan.axes.len()).filter(|axis| *axis != along && Some(*axis) != lines);
    let others = others.filter(|axis| plan.axes[*axis].values.len() > 1);
    Ok(Some(RunCurves {
        metric: metric.name.to_owned(),
        along: plan.axes[along].name.clone(),
        x: order.iter().map(|&at| numbers[at]).collect(),
        lines: lines.map(|axis| plan.axes[axis].name.clone()),
        spread: others.map(|axis| plan.axes[axis].name.clone()).collect(),
        curves: found.into_iter().map(|curve| RunCurve { label: label(curve.line), curve }).collect(),
    }))
}
