//! Drafts: a quick picture of every cell first, so that there is something to look at within minutes.

use crate::Workspace;
use crate::assets::{models, weights};
use crate::error::Error;
use crate::estimate::{Estimate, estimate};
use crate::plan::PlannedExperiment;
use crate::workspace::Renderer;
use maquette_core::{Cell, CellId, DraftSettings, Mark, NamedFile, Plan, SettingError, WeightsKind};
use maquette_diffusion::{SeparateVae, tiny_vae_name};
use maquette_executor::{Pass, Rank, Ranks};
use maquette_hub::Cache;
use maquette_store::Run;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

/// The repositories with the published tiny autoencoders begin with this.
const TINY_VAES: &str = "madebyollin";

/// How drafts are rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftOptions {
    /// Denoising steps of a draft; by default a quarter of its cell's, at least 4.
    pub steps: Option<u32>,
}

/// What the drafts of a plan would take.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftForecast {
    /// Drafts to render. Cells with so few steps that a draft would not be quicker have none.
    pub drafts: usize,
    /// Calls of the UNet.
    pub steps: usize,
    /// The time, from earlier measurements on this machine.
    pub estimate: Estimate,
    /// The tiny autoencoders that decode them, as in the log.
    pub vaes: BTreeSet<String>,
}

/// The drafts of some cells of a plan.
pub(crate) struct Drafts {
    pub settings: DraftSettings,
    /// Distinct drafts: the number of the first cell that each stands for, and the draft's name.
    pub cells: Vec<(usize, CellId)>,
    /// The cells that each draft stands for.
    pub finals: HashMap<CellId, Vec<CellId>>,
}

impl Workspace {
    /// What drafts of the cells that are not finished would take now.
    ///
    /// # Errors
    ///
    /// As for [`Workspace::forecast`].
    pub fn draft_forecast(
        &self,
        experiment: &PlannedExperiment,
        options: &DraftOptions,
    ) -> Result<DraftForecast, Error> {
        let PlannedExperiment { plan, distinct, base, .. } = experiment;
        let finished = self.finished(&plan.name)?;
        let left = distinct.iter().filter(|(_, id)| !finished.contains(id) && !self.runs.has_cell(id));
        let drafts = Drafts::of(plan, self.draft_settings(plan, base, options), left.copied())?;
        let left: Vec<(usize, CellId)> =
            drafts.cells.iter().filter(|(_, id)| !self.runs.has_cell(id)).copied().collect();
        let settings = |&(number, _): &(usize, CellId)| drafts.cell(plan, number).map(|cell| cell.settings);
        let all: Vec<_> = left.iter().map(settings).collect::<Result<_, _>>()?;
        Ok(DraftForecast {
            drafts: left.len(),
            steps: all.iter().map(maquette_core::Settings::unet_calls).sum(),
            vaes: all.iter().filter_map(|settings| Some(settings.vae.as_ref()?.path.to_string())).collect(),
            estimate: estimate(
                plan,
                all.into_iter().map(|settings| (settings, 1)),
                &self.devices(),
                &self.runs.timings(),
            ),
        })
    }

    /// How the drafts of a plan differ from its cells. Tiny autoencoders are looked for beside the experiment, in the
    /// folder `base`, and in the hub's cache.
    pub(crate) fn draft_settings(&self, plan: &Plan, base: &Path, options: &DraftOptions) -> DraftSettings {
        let vae = |model: &String| Some((model.clone(), self.tiny_vae(model, base)?));
        DraftSettings { steps: options.steps, vae: plan.models.keys().filter_map(vae).collect() }
    }

    fn tiny_vae(&self, model: &str, base: &Path) -> Option<NamedFile> {
        if self.renderer == Renderer::Fake {
            return None;
        }
        let source = models::find(model, base, &self.environment.hub).ok()?;
        let name = tiny_vae_name(&source)?;
        let beside = weights::candidates(WeightsKind::Vae, name, base).into_iter();
        let repository = format!("{TINY_VAES}/{name}");
        let cached = repository.parse().ok().and_then(|it| Cache::new(&self.environment.hub).snapshot(&it));
        let places =
            beside.map(|file| (name.to_owned(), file)).chain(cached.map(|folder| (repository, folder)));
        places.filter(|(_, file)| file.exists()).find_map(|(path, file)| {
            let digest = SeparateVae::digest(&file).ok()?;
            Some(NamedFile { path: path.into(), file: file.into(), digest })
        })
    }
}

impl Drafts {
    /// The drafts of some cells: the number of each in the plan, and its name.
    pub fn of(
        plan: &Plan,
        settings: DraftSettings,
        cells: impl Iterator<Item = (usize, CellId)>,
    ) -> Result<Drafts, SettingError> {
        let mut drafts = Drafts { settings, cells: Vec::new(), finals: HashMap::new() };
        for (number, id) in cells {
            let Some(draft) = drafts.settings.draft(plan, &plan.cell(number)?) else { continue };
            let finals = drafts.finals.entry(draft.id).or_default();
            if finals.is_empty() {
                drafts.cells.push((number, draft.id));
            }
            finals.push(id);
        }
        Ok(drafts)
    }

    /// The draft of the cell with that number.
    fn cell(&self, plan: &Plan, number: usize) -> Result<Cell, SettingError> {
        let cell = plan.cell(number)?;
        // Every number in the list has a draft.
        Ok(self.settings.draft(plan, &cell).unwrap_or(cell))
    }

    /// The pass that renders them.
    pub fn pass<'a>(&'a self, plan: &'a Plan) -> Pass<'a> {
        Pass {
            cells: self.cells.clone(),
            cell: Box::new(move |number| self.cell(plan, number)),
            ranks: Box::new(|| None),
            drafts: true,
        }
    }
}

/// The pass over a plan's cells that replaces drafts, the most promising first: picked cells and those without a draft,
/// then the others, rejected ones last. Picks are read again whenever their file has changed.
pub(crate) fn final_pass<'a>(run: &'a Run, plan: &'a Plan, cells: Vec<(usize, CellId)>) -> Pass<'a> {
    let drafted: HashSet<CellId> = run.drafts().unwrap_or_default().into_keys().collect();
    let bare: Vec<CellId> = cells.iter().map(|(_, id)| *id).filter(|id| !drafted.contains(id)).collect();
    let mut before = None;
    let ranks = move || -> Option<Ranks> {
        let file = std::fs::metadata(run.dir().join("picks.toml")).ok();
        let now = file.map(|file| (file.len(), file.modified().ok()));
        if before == Some(now) {
            return None;
        }
        before = Some(now);
        // A file that cannot be read, as while it is edited by hand, changes nothing.
        let picks = run.picks().ok()?;
        let mut ranks: Ranks = bare.iter().map(|id| (*id, Rank::First)).collect();
        ranks.extend(picks.marked(Mark::Reject).map(|id| (id, Rank::Last)));
        ranks.extend(picks.marked(Mark::Pick).map(|id| (id, Rank::First)));
        Some(ranks)
    };
    Pass { ranks: Box::new(ranks), ..Pass::over(plan, cells) }
}
