//! Verifies a run: checks every picture against its log row and its name, and renders some cells again.
//!
//! Writes nothing.

use crate::Workspace;
use crate::checks::{Checked, check, spread};
use crate::error::Error;
use crate::locate::locate;
use crate::logged_picture::decode_logged;
use crate::recreate::base_of;
use crate::render::render;
use maquette_core::{Cell, CellId, Dtype, Plan};
use maquette_planner::AssetResolver;
use maquette_reporter::{Likeness, Pixels};
use maquette_store::{Log, Run};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// How to verify a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// How many cells to render again, spread evenly over the run; 0 for none.
    pub sample: usize,
    /// The seed of a random choice of cells; the same seed picks the same cells.
    pub seed: Option<u64>,
}

/// The result of verifying a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The run, such as `mucha@1`.
    pub run: String,
    /// Its pictures, checked against its log and plan.
    #[serde(flatten)]
    pub checked: Checked,
    /// The cells that were rendered again, sorted by name.
    pub again: Vec<RenderedAgain>,
    /// What changed since the run was made, and damaged rows of its log.
    pub remarks: Vec<String>,
}

/// One cell rendered again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RenderedAgain {
    /// Its name.
    pub cell: CellId,
    /// Its picture, relative to the run.
    pub image: String,
    /// Its label on the axes.
    pub label: String,
    /// How it compares.
    pub outcome: SampleOutcome,
    /// Why there is nothing to compare.
    pub error: Option<String>,
    /// The difference, if there are two pictures.
    pub pixels: Option<Pixels>,
}

/// How a cell that was rendered again compares with its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleOutcome {
    /// Every pixel is the same.
    Identical,
    /// As [`Likeness::Close`] has it.
    Close,
    /// As [`Likeness::Different`] has it.
    Different,
    /// There is no picture to compare with.
    Missing,
    /// None could be made now.
    Failed,
}

impl SampleOutcome {
    /// Every outcome, the best first.
    pub const ALL: [SampleOutcome; 5] = [
        SampleOutcome::Identical,
        SampleOutcome::Close,
        SampleOutcome::Different,
        SampleOutcome::Missing,
        SampleOutcome::Failed,
    ];

    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            SampleOutcome::Identical => Likeness::Identical.as_str(),
            SampleOutcome::Close => Likeness::Close.as_str(),
            SampleOutcome::Different => Likeness::Different.as_str(),
            SampleOutcome::Missing => "missing",
            SampleOutcome::Failed => "failed",
        }
    }
}

impl From<Likeness> for SampleOutcome {
    fn from(likeness: Likeness) -> SampleOutcome {
        match likeness {
            Likeness::Identical => SampleOutcome::Identical,
            Likeness::Close => SampleOutcome::Close,
            Likeness::Different => SampleOutcome::Different,
        }
    }
}

impl Verification {
    /// Whether every check and every comparison passed.
    pub fn is_sound(&self) -> bool {
        let passed =
            |again: &RenderedAgain| matches!(again.outcome, SampleOutcome::Identical | SampleOutcome::Close);
        self.checked.problems.is_empty() && self.again.iter().all(passed)
    }
}

impl Workspace {
    /// Verifies a run, named as in [`Workspace::report`]. `note` gets warnings and progress.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found or cannot be read; [`Error::Execute`] if the engine stops. Problems of the
    /// run are not errors: see [`Verification::is_sound`].
    pub fn verify(
        &self,
        run: &str,
        options: VerifyOptions,
        note: &mut dyn FnMut(&str),
    ) -> Result<Verification, Error> {
        let run = self.runs.find(run)?;
        let mut plan = run.plan()?;
        let Log { rows: log, damaged } = run.read_log()?;
        // Backwards, so that the first of several identical cells stands for them.
        let mut places: HashMap<CellId, usize> = HashMap::new();
        for index in (0..plan.len()).rev() {
            places.insert(plan.id(index)?, index);
        }
        let checked = check(&run, &log, &places);

        // Missing pictures are rendered, too, and reported as `missing`.
        let done = log.iter().filter(|row| places.contains_key(&row.cell()));
        let images: BTreeMap<CellId, String> =
            done.filter_map(|row| Some((row.cell(), row.image()?.to_owned()))).collect();
        let sample = spread(&images.keys().copied().collect::<Vec<_>>(), options.sample, options.seed);
        let (mut again, mut remarks) = (Vec::new(), Vec::new());
        if !sample.is_empty() {
            remarks.extend(locate(&run, &mut plan, self.environment.folder.as_deref()));
            let cells = sample.iter().map(|id| plan.cell(places[id])).collect::<Result<Vec<_>, _>>()?;
            let (rendered, changed) = self.render_again(&run, &plan, cells, &images, note)?;
            again = rendered;
            remarks.extend(changed);
        }
        remarks.extend(damaged.iter().map(ToString::to_string));
        Ok(Verification { run: run.to_string(), checked, again, remarks })
    }

    fn render_again(
        &self,
        run: &Run,
        plan: &Plan,
        mut cells: Vec<Cell>,
        images: &BTreeMap<CellId, String>,
        note: &mut dyn FnMut(&str),
    ) -> Result<(Vec<RenderedAgain>, Vec<String>), Error> {
        let base = base_of(run).unwrap_or_else(|| PathBuf::from("."));
        let mut remarks = other_models(plan, &cells, self.assets(&base).as_ref());
        let mut backend = self.backend(&base, None)?;
        remarks.extend(other_devices(run, &cells, &backend.device()));
        // Sorted, so that each model is loaded once; the result is sorted by name.
        let found: HashMap<CellId, Cell> = cells.iter().map(|cell| (cell.id, cell.clone())).collect();
        cells.sort_by(|a, b| a.settings.model.cmp(&b.settings.model));
        let count = cells.len();
        let mut again: BTreeMap<CellId, RenderedAgain> = BTreeMap::new();
        // The backend calls one of the two callbacks at a time.
        let note = RefCell::new(note);
        render(backend.as_mut(), cells, &mut |text| note.borrow_mut()(text), &mut |id, ended| {
            let Some(cell) = found.get(&id) else { return };
            let image = images.get(&id).cloned().unwrap_or_default();
            let before = decode_logged(run, &image).map_err(|error| error.to_string());
            let (outcome, error, pixels) = match (before, ended) {
                (Ok(before), Ok((now, _))) => {
                    let pixels = Pixels::of(&before, &now);
                    (pixels.likeness().into(), None, Some(pixels))
                }
                (Err(error), _) => (SampleOutcome::Missing, Some(error), None),
                (_, Err(error)) => (SampleOutcome::Failed, Some(error), None),
            };
            let label = plan.label(&cell.coordinates);
            again.insert(id, RenderedAgain { cell: id, image, label, outcome, error, pixels });
            note.borrow_mut()(&format!("{} of {count} rendered again", again.len()));
        })?;
        Ok((again.into_values().collect(), remarks))
    }
}

/// The models of these cells that have changed or cannot be found.
fn other_models(plan: &Plan, cells: &[Cell], assets: &dyn AssetResolver) -> Vec<String> {
    let mut names: Vec<(&str, Dtype)> =
        cells.iter().map(|cell| (&*cell.settings.model, cell.settings.dtype)).collect();
    names.sort_unstable();
    names.dedup_by_key(|(name, _)| *name);
    let changed = names.into_iter().filter_map(|(name, dtype)| {
        let before = plan.models.get(name)?.fingerprint;
        match assets.model(name, dtype) {
            Ok(card) if card.fingerprint == before => None,
            Ok(card) => Some(format!(
                "the model `{name}` has changed: its fingerprint was {}… and is now {}…",
                before.short(),
                card.fingerprint.short()
            )),
            Err(error) => Some(error.to_string()),
        }
    });
    changed.collect()
}

/// The other devices that these cells were rendered on.
fn other_devices(run: &Run, cells: &[Cell], now: &str) -> Option<String> {
    let log = run.log().ok()?;
    let rows = log.iter().filter(|row| cells.iter().any(|cell| cell.id == row.cell()));
    let mut devices: Vec<&str> =
        rows.filter_map(|row| row.device()).filter(|device| *device != now).collect();
    devices.sort_unstable();
    devices.dedup();
    let devices = devices.join(", ");
    (!devices.is_empty()).then(|| format!("rendered on {devices} before, on {now} now"))
}
