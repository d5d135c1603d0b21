//! From a file to a plan, stage by stage. Planning stops after a stage with errors, so that later stages may rely on
//! earlier ones.

use crate::cells::Cells;
use crate::extends::read_chain;
use crate::grid::{Given, Grid, GridAxis};
use crate::labels::labels;
use crate::layer::Layer;
use crate::merge::merge;
use crate::overrides::{self, Overrides};
use crate::problem::{PlanError, Problem, Problems};
use crate::resolved::{self, Experiment};
use crate::rules::{self, Masks, Rule, Verdict};
use crate::{
    AssetResolver, MetricNames, derived_from, filter, merged, metrics, placeholders, seeds, sheet, subject,
};
use maquette_core::{
    Axis, AxisValue, CellId, Digest, Dtype, MetricsSpec, NAMING, NUMERICS, Plan, Selection, Value,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The input of [`plan()`].
pub struct Request<'a> {
    /// The experiment file.
    pub file: &'a Path,
    /// Its text, if it is not on disk; relative paths still start at `file`'s folder.
    pub text: Option<&'a str>,
    /// Options of the command line that override it.
    pub overrides: &'a Overrides,
    /// What `dtype = "auto"` means on the device of this run.
    pub default_dtype: Dtype,
    /// Seeds of an earlier plan of the same file, reused where an axis still draws seeds; see [`Plan::drawn`].
    pub drawn: Option<&'a BTreeMap<String, Vec<i64>>>,
    /// The metrics and models of metrics that the experiment may name.
    pub metrics: MetricNames<'a>,
    /// The source of random seeds: returns a number from 0 to 2^32 - 1 at each call.
    pub draw: &'a mut dyn FnMut() -> i64,
}

/// An experiment, planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The grid, checked.
    pub plan: Plan,
    /// The first cell of each distinct picture, in the grid's order; see [`crate::distinct`].
    pub distinct: Vec<(usize, CellId)>,
    /// The resolved experiment: one TOML text that plans to the same cells.
    pub resolved: String,
    /// The digest of the experiment before seeds are drawn: values, rules and layout after `extends` and overrides, and
    /// the content of models and pictures. Comments do not change it.
    pub source: Digest,
    /// The settings that the experiment does not set and whose value is the table's default.
    pub defaults: Vec<&'static str>,
    /// Notes for the user that are not errors, each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// Reads an experiment file and everything it names, checks all of it, and expands the grid.
///
/// # Errors
///
/// All problems of the experiment with their places; see [`PlanError`].
pub fn plan(request: Request<'_>, assets: &dyn AssetResolver) -> Result<Planned, PlanError> {
    let Request { file, text, overrides, default_dtype, drawn, metrics, draw } = request;
    let mut problems = Problems::default();
    let (mut notes, mut dropped) = (Vec::new(), Vec::new());

    // Read the files and options and merge them.
    let chain = read_chain(file, text)?;
    let (options, only_options) = overrides::read(overrides, &chain.folder, &mut problems);
    problems.settle()?;
    let layers = chain.layers.into_iter().chain(options);
    let written = layers.reduce(|below, above| merge(below, above, &mut dropped)).unwrap_or_default();

    // Read and check the values.
    let mut grid = Grid::read(&written, default_dtype, &mut problems)?;
    let subjects = subject::read(&written.subjects, &mut problems);
    placeholders::check(&mut grid, !subjects.is_empty(), &mut dropped, &mut notes, &mut problems);
    problems.settle()?;
    let sheet = sheet::read(&written.sheet, &grid, &dropped, &mut problems);
    let metrics = metrics::read(&written.metrics, &metrics, &grid, &dropped, &mut problems);
    let mut exclude = rules::read(written.exclude.as_deref().unwrap_or(&[]), &mut problems);
    exclude.extend(rules::read_only(&only_options, &mut problems));
    let only = rules::read(written.only.as_deref().unwrap_or(&[]), &mut problems);
    let title = title(&written);
    let derived_from = derived_from::read(written.derived_from.as_ref(), &mut problems);
    problems.settle()?;

    // An unchanged experiment is recognised by its text before seeds are drawn. Metrics can be measured at any time, so
    // that other ones do not change it.
    let parent = derived_from.as_ref();
    let text = |folder: Option<&str>, grid: &Grid, exclude: &[Rule], only: &[Rule], metrics: &MetricsSpec| {
        let (derived_from, sheet, subjects) = (parent, &sheet, &subjects[..]);
        Experiment { title, folder, derived_from, grid, subjects, exclude, only, sheet, metrics }.text()
    };
    let mut source = text(None, &grid, &exclude, &only, &MetricsSpec::default());
    let drawn = seeds::draw(&mut grid, drawn, draw);

    // Select the positions that are cells.
    let labels: Vec<Vec<String>> = grid.axes.iter().map(labels).collect();
    let apply = |rules: Vec<Rule>, problems: &mut Problems| -> Vec<Verdict> {
        let verdicts = rules.into_iter().map(|rule| rules::apply(rule, &grid, &dropped, &labels));
        verdicts.filter_map(|verdict| problems.keep(verdict)).collect()
    };
    let last_rule = only.iter().chain(&exclude).last().map(|rule| rule.at.clone());
    let exclude = rules::active(apply(exclude, &mut problems)).0;
    let (only, only_left) = rules::active(apply(only, &mut problems));
    problems.settle()?;
    let masks = |rules: &[(Rule, Masks)]| rules.iter().map(|(_, masks)| masks.clone()).collect::<Vec<_>>();
    let kept = filter::select(&grid.sizes(), &masks(&exclude), only_left.then(|| masks(&only)).as_deref());
    if let (Selection::Only(positions), Some(at)) = (&kept, last_rule)
        && positions.is_empty()
    {
        let problem = Problem::at(&at, "the rules leave no cells: all are excluded, or none match [[only]]");
        return Err(problem.label("the last rule").into());
    }

    let folder = chain.folder;
    let mut plan = Plan {
        name: file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        title: title.to_owned(),
        base: pairs(&grid.settings),
        vars: pairs(&grid.vars),
        axes: grid.axes.iter().zip(labels).map(|(axis, labels)| core_axis(axis, labels)).collect(),
        kept,
        drawn,
        models: BTreeMap::new(),
        pictures: BTreeMap::new(),
        weights: BTreeMap::new(),
        trainings: Vec::new(),
        sheet: sheet.clone(),
        metrics: metrics.clone(),
        naming: NAMING,
        numerics: NUMERICS,
        derived_from: derived_from.clone(),
    };

    // Look up the models and files that the cells need, and check that the cells can be rendered.
    let cells = Cells { plan: &plan, grid: &grid };
    let models = cells.models(assets, &mut problems);
    let pictures = cells.pictures(&folder, assets, &mut problems);
    let weights = cells.weights(assets, &mut problems);
    let models_defaults = grid.take_defaults_of(&models);
    plan = Plan { base: pairs(&grid.settings), models, pictures, weights, ..plan };
    let cells = Cells { plan: &plan, grid: &grid };
    plan.trainings = cells.trainings(&subjects, &folder, assets, &mut notes, &mut problems);
    let cells = Cells { plan: &plan, grid: &grid };
    cells.schedulers(&mut problems);
    cells.sizes(&mut problems);
    cells.strengths(&mut problems);
    cells.train_steps(&mut problems);
    cells.needs(&folder, assets, &mut problems);
    cells.unused(&mut notes, &mut problems);
    cells.ignored(&mut notes, &mut problems);
    let safety_checkers = cells.safety_checkers(assets, &mut problems);
    problems.settle()?;
    for (name, digest) in &safety_checkers {
        let _ = writeln!(source, "safety checker of {name} {digest}");
    }
    for (name, card) in &mut plan.models {
        card.safety_checker_weights = safety_checkers.get(name).copied();
        let _ = writeln!(source, "{name} {}", card.fingerprint);
        if card.reading > 1 {
            let _ = writeln!(source, "reading {}", card.reading);
        }
    }
    for default in &models_defaults {
        let _ = writeln!(source, "{default}");
    }
    for (path, file) in plan.pictures.iter().chain(&plan.weights) {
        let _ = writeln!(source, "{path} {}", file.digest);
    }

    for training in &plan.trainings {
        let _ =
            writeln!(source, "training of {} on {} {}", training.subject, training.model, training.digest());
    }

    let a1111 = |value: &Value| value.as_text() == Some("a1111");
    if plan.written("embeddings").next().is_some() && plan.written("dialect").any(a1111) {
        // Older runs have other words.
        let _ = writeln!(source, "words of textual inversions are names of files");
    }

    // An experiment in the current folder has an empty path, which cannot be made absolute.
    let folder = if folder.as_os_str().is_empty() { Path::new(".").to_owned() } else { folder };
    let folder: PathBuf = std::path::absolute(&folder).unwrap_or(folder).components().collect();
    let folder = folder.to_string_lossy().replace('\\', "/");
    let folder = resolved::has_paths(&grid, &subjects, &metrics).then_some(folder.as_str());
    let rules = |active: Vec<(Rule, Masks)>| active.into_iter().map(|(rule, _)| rule).collect::<Vec<_>>();
    let (exclude, only) = (rules(exclude), rules(only));
    let resolved = text(folder, &grid, &exclude, &only, &metrics);
    let (distinct, merged) =
        merged::named(&plan).map_err(|error| Problem::without_place(error.to_string()))?;
    notes.extend(merged);
    let defaults = grid.defaults();
    Ok(Planned { plan, distinct, resolved, source: Digest::of(source.as_bytes()), defaults, notes })
}

fn title(written: &Layer) -> &str {
    written.title.as_ref().and_then(|node| node.text()).unwrap_or_default()
}

fn pairs(given: &[Given]) -> Vec<(String, Value)> {
    given.iter().map(|given| (given.name.clone(), given.value.clone())).collect()
}

fn core_axis(axis: &GridAxis, labels: Vec<String>) -> Axis {
    let values = axis.positions.iter().zip(labels);
    let values = values.map(|(position, label)| AxisValue { label, set: pairs(&position.set) }).collect();
    Axis { name: axis.name.clone(), values }
}
