//! From an experiment file to its plan.

use crate::Workspace;
use crate::assets::FakeAssets;
use crate::assets::fetch::{self, FetchEvent};
use crate::error::Error;
use crate::measure::{metric_list, metric_names, named, not_measured};
use crate::model_notes::model_notes;
use crate::training::word_notes;
use crate::unused_inputs::unused_inputs;
use crate::workspace::Renderer;
use maquette_core::{CellId, Digest, Plan};
use maquette_files::limits;
use maquette_planner::{AssetResolver, Overrides, Planned, Request};
use maquette_store::StoreError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An experiment to plan: a file and its overrides.
#[derive(Debug, Clone, Default)]
pub struct Experiment {
    /// The file. Relative paths start at its folder, even if `text` is given.
    pub file: PathBuf,
    /// The experiment's text, to be used in place of the file's.
    pub text: Option<String>,
    /// The overrides, as by `--set`, `--sweep`, `--only` and `--dtype`.
    pub overrides: Overrides,
}

/// A planned experiment: the checked grid and related data.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedExperiment {
    /// The grid. It is self-contained: every cell can be computed from it.
    pub plan: Plan,
    /// The distinct cells in the grid's order: number in the plan, and name.
    pub distinct: Vec<(usize, CellId)>,
    /// The resolved experiment: one TOML text with all overrides and drawn seeds.
    pub resolved: String,
    /// The digest of the experiment before seeds were drawn; the same for an unchanged experiment.
    pub source: Digest,
    /// Notes for the user, each a sentence without its full stop.
    pub notes: Vec<String>,
    /// The experiment file's folder: where relative paths and the names of models and weight files start.
    pub base: PathBuf,
}

impl Experiment {
    /// The experiment in that file, unchanged.
    pub fn at(file: impl Into<PathBuf>) -> Experiment {
        Experiment { file: file.into(), ..Experiment::default() }
    }

    /// Its text, without the overrides: what other machines need to plan the same.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the file cannot be read.
    pub fn read(&self) -> Result<String, Error> {
        let file = || {
            let text = maquette_files::read_text(&self.file, limits::EXPERIMENT);
            text.map_err(|source| StoreError::Io { doing: "read", path: self.file.clone(), source })
        };
        self.text.clone().map_or_else(|| Ok(file()?), Ok)
    }
}

impl Workspace {
    /// Plans an experiment: reads the file and everything it names, checks all of it, and expands the grid. Seeds that the
    /// newest run of the same experiment drew are used again.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] with every problem and its place. A model that is on the hub but not on this machine is a problem:
    /// this function downloads nothing.
    pub fn plan(&self, experiment: &Experiment) -> Result<PlannedExperiment, Error> {
        self.plan_with(experiment, None)
    }

    /// The same, but downloads missing models if the experiment has no other problem.
    pub(crate) fn plan_and_fetch(
        &self,
        experiment: &Experiment,
        report: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<PlannedExperiment, Error> {
        self.plan_with(experiment, Some(report))
    }

    fn plan_with(
        &self,
        experiment: &Experiment,
        download: Option<&mut dyn FnMut(FetchEvent<'_>)>,
    ) -> Result<PlannedExperiment, Error> {
        let Experiment { file, text, overrides } = experiment;
        let base = file.parent().unwrap_or(Path::new("")).to_owned();
        let drawn = self.drawn_before(file);
        let local = self.local_assets(&base);
        let assets: &dyn AssetResolver = match self.renderer {
            Renderer::Engine => &local,
            Renderer::Fake => &FakeAssets,
        };
        // If the system has no source of randomness, seed 0 is drawn; it is recorded like any other.
        let mut draw = || i64::from(getrandom::u32().unwrap_or(0));
        let mut plan = || {
            let request = Request {
                file,
                text: text.as_deref(),
                overrides,
                default_dtype: self.device().dtype(),
                drawn: drawn.as_ref().filter(|_| text.is_none()),
                metrics: metric_names(),
                draw: &mut draw,
            };
            maquette_planner::plan(request, assets)
        };
        let mut planned = plan();
        if let (Err(error), Some(report)) = (&planned, download) {
            let absent = local.absent();
            if !absent.is_empty() && absent.len() == error.problems.len() + error.more {
                let hub = fetch::hub(&self.environment.hub)?;
                for offer in absent {
                    fetch::fetch(&hub, &offer, report)?;
                }
                planned = plan();
            }
        }
        let Planned { plan, distinct, resolved, source, defaults, mut notes } = planned?;
        if self.renderer == Renderer::Engine {
            notes.extend(model_notes(&plan, &defaults, &distinct, &base, &self.environment.hub)?);
            notes.extend(word_notes(&plan, &base, &self.environment.hub));
            notes.extend(unused_inputs(&plan, &distinct, &base, &self.environment.hub)?);
        }
        if self.offload && !plan.trainings.is_empty() {
            notes.push("trainings keep all weights in memory: `--offload` is for rendering alone".to_owned());
        }
        notes.extend(self.unmeasured(&plan, &resolved)?);
        Ok(PlannedExperiment { plan, distinct, resolved, source, notes, base })
    }

    /// Notes on the metrics whose models are not on this machine: it takes long until they would be measured.
    fn unmeasured(&self, plan: &Plan, resolved: &str) -> Result<Vec<String>, Error> {
        let bases = maquette_planner::folder(resolved).map(PathBuf::from).into_iter();
        let bases = bases.chain(self.environment.folder.clone()).collect();
        let missing = self.planned_metric_models(plan, bases).missing(&named(&plan.metrics.measure)?);
        let note = |(metrics, error): &(Vec<_>, _)| not_measured(&metric_list(metrics), error);
        Ok(missing.iter().map(note).collect())
    }

    /// The seeds that the newest run of an experiment with that name drew.
    fn drawn_before(&self, file: &Path) -> Option<BTreeMap<String, Vec<i64>>> {
        let latest = self.runs.latest(&file.file_stem()?.to_string_lossy()).ok()??;
        Some(latest.plan().ok()?.drawn)
    }
}
