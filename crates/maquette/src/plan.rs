//! From an experiment file to its plan.

use crate::Workspace;
use crate::assets::FakeAssets;
use crate::assets::fetch::{self, FetchEvent};
use crate::error::Error;
use crate::workspace::Renderer;
use maquette_core::{CellId, Digest, Plan};
use maquette_planner::{AssetResolver, Overrides, Planned, Request};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An experiment to plan: a file, and what is changed in it.
#[derive(Debug, Clone, Default)]
pub struct Experiment {
    /// The file. Its relative paths start at its folder, also when `text` is given.
    pub file: PathBuf,
    /// The experiment's text where it is not in the file.
    pub text: Option<String>,
    /// What is changed in it, as `--set`, `--sweep`, `--only` and `--dtype` do.
    pub overrides: Overrides,
}

/// A planned experiment: the grid, checked, and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedExperiment {
    /// The grid. It stands alone: every cell follows from it.
    pub plan: Plan,
    /// The cells that are pictures of their own, in the grid's order: number in the plan, and name.
    pub distinct: Vec<(usize, CellId)>,
    /// The experiment as run: one TOML text with all overrides and drawn seeds in it.
    pub resolved: String,
    /// The digest of what was asked for, before seeds were drawn; the same for an unchanged experiment.
    pub source: Digest,
    /// What a person should know that stops nothing, each a sentence without its full stop.
    pub notes: Vec<String>,
    /// The experiment file's folder: where relative paths and the names of models and weight files start.
    pub base: PathBuf,
}

impl Experiment {
    /// The experiment in that file, unchanged.
    pub fn at(file: impl Into<PathBuf>) -> Experiment {
        Experiment { file: file.into(), ..Experiment::default() }
    }
}

impl Workspace {
    /// Plans an experiment: reads the file and everything it names, checks all of it, and expands the grid. Seeds that the
    /// newest run of the same experiment drew are used again.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] with every problem and its place. A model that is on the hub and not on this machine is one: nothing
    /// is downloaded here.
    pub fn plan(&self, experiment: &Experiment) -> Result<PlannedExperiment, Error> {
        self.plan_with(experiment, None)
    }

    /// The same, but models that are missing are downloaded, if nothing else is wrong with the experiment.
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
        // Should there be no randomness to be had, seed 0 is drawn; it is written down like any other.
        let mut draw = || i64::from(getrandom::u32().unwrap_or(0));
        let mut plan = || {
            let request = Request {
                file,
                text: text.as_deref(),
                overrides,
                default_dtype: self.device().dtype(),
                drawn: drawn.as_ref().filter(|_| text.is_none()),
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
        let Planned { plan, distinct, resolved, source, notes } = planned?;
        Ok(PlannedExperiment { plan, distinct, resolved, source, notes, base })
    }

    /// The seeds that the newest run of an experiment of that name drew.
    fn drawn_before(&self, file: &Path) -> Option<BTreeMap<String, Vec<i64>>> {
        let latest = self.runs.latest(&file.file_stem()?.to_string_lossy()).ok()??;
        Some(latest.plan().ok()?.drawn)
    }
}
