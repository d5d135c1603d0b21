//! Which trainings some cells of a plan need, and after how many steps.

use maquette_core::{Cell, CellId, NamedFile, Plan, SUBJECT, SettingError, Training};
use maquette_planner::combinations;
use maquette_store::{TrainingFolder, TrainingSample};
use std::collections::BTreeSet;

/// How many cells of a training are rendered as its samples.
const SAMPLES: usize = 2;

/// A training that cells need.
pub(crate) struct Needed<'a> {
    pub training: &'a Training,
    /// The steps after which cells take its weights; never empty.
    pub steps: BTreeSet<u32>,
    /// Some of the cells, to render during the training.
    pub samples: Vec<Cell>,
}

/// The trainings that these cells need, in the plan's order.
pub(crate) fn needed<'a>(plan: &'a Plan, cells: &[(usize, CellId)]) -> Result<Vec<Needed<'a>>, SettingError> {
    let mut all: Vec<Needed> = Vec::new();
    if plan.trainings.is_empty() {
        return Ok(all);
    }
    for (cell, _) in combinations(plan, cells, &[SUBJECT, "model", "train_steps", "prompt"])? {
        let subject = cell.vars.iter().find(|(name, _)| &**name == SUBJECT).map(|(_, subject)| subject);
        let is_its = |it: &Training| {
            subject.is_some_and(|subject| it.subject == **subject) && it.model == *cell.settings.model
        };
        let (Some(training), Some(step)) =
            (plan.trainings.iter().find(|it| is_its(it)), cell.settings.train_steps)
        else {
            continue;
        };
        let digest = training.digest();
        let place = all.iter().position(|known| known.training.digest() == digest);
        let place = place.unwrap_or_else(|| {
            all.push(Needed { training, steps: BTreeSet::new(), samples: Vec::new() });
            all.len() - 1
        });
        let needed = &mut all[place];
        needed.steps.insert(step);
        let is_new = needed.samples.iter().all(|known| known.settings.prompt != cell.settings.prompt);
        if needed.samples.len() < SAMPLES && is_new {
            needed.samples.push(cell);
        }
    }
    Ok(all)
}

/// Whether a file is going to be the weights of a training, and does not exist yet.
pub(crate) fn is_untrained(plan: &Plan, file: &NamedFile) -> bool {
    plan.trainings.iter().any(|training| file.file.starts_with(&training.folder)) && !file.file.is_file()
}

impl Needed<'_> {
    /// The steps whose weights do not exist.
    pub fn missing(&self) -> BTreeSet<u32> {
        self.steps.iter().copied().filter(|&step| !self.training.weights_file(step).is_file()).collect()
    }

    /// The steps whose weights exist but no sample: a process was killed between the two.
    pub fn unsampled(&self, folder: &TrainingFolder) -> BTreeSet<u32> {
        let have: BTreeSet<u32> = folder.samples().iter().map(|TrainingSample { step, .. }| *step).collect();
        let lacks = |step: &u32| !have.contains(step) && self.training.weights_file(*step).is_file();
        self.sampled().into_iter().filter(lacks).collect()
    }

    /// The last step that is needed.
    pub fn last(&self) -> u32 {
        self.steps.last().copied().unwrap_or(self.training.steps)
    }

    /// The steps after which samples are rendered: those that cells need, and four on the way.
    pub fn sampled(&self) -> BTreeSet<u32> {
        let last = self.last();
        let quarters = (1..=4).map(|part| last * part / 4).filter(|&step| step > 0);
        self.steps.iter().copied().chain(quarters).collect()
    }
}
