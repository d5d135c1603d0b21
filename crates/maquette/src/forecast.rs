//! What running a plan would take: the work left, its time and memory on this machine, and notes on prompts.

use crate::Workspace;
use crate::error::Error;
use crate::estimate::{Estimate, deciding, estimate};
use crate::plan::PlannedExperiment;
use crate::prompt_report::{PromptNotes, prompt_notes};
use crate::training::{TrainingForecast, training_forecast};
use crate::weight_sizes::{ModelWeights, model_weights};
use crate::workspace::Renderer;
use maquette_core::CellId;
use maquette_planner::{Work, combinations, work};
use maquette_store::{LogRow, Status};
use std::collections::HashSet;

/// What running a plan would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The work left.
    pub work: Work,
    /// Its time and memory, from earlier measurements on this machine.
    pub estimate: Estimate,
    /// The trainings that the cells left need.
    pub trainings: Vec<TrainingForecast>,
    /// The weights of the models that the cells left need.
    pub weights: Vec<ModelWeights>,
    /// Prompts that are cut, split into chunks, or contain syntax that may not mean what it should.
    pub prompts: PromptNotes,
}

impl Workspace {
    /// What running the plan would take now; finished cells count as done.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the log of the newest run of this experiment cannot be read.
    pub fn forecast(&self, experiment: &PlannedExperiment) -> Result<Forecast, Error> {
        let PlannedExperiment { plan, distinct, base, .. } = experiment;
        let finished = self.finished(&plan.name)?;
        let left = self.runs.without_pictures(distinct.iter().filter(|(_, id)| !finished.contains(id)));
        let cells = combinations(plan, &left, &deciding(plan))?.into_iter();
        let cells = cells.map(|(cell, count)| (cell.settings, count));
        Ok(Forecast {
            trainings: training_forecast(self, plan, &left)?,
            work: work(plan, &left)?,
            estimate: estimate(plan, cells, &self.devices(), &self.runs.timings()),
            weights: match self.renderer {
                Renderer::Engine => model_weights(self, plan, &left, base)?,
                Renderer::Fake => Vec::new(),
            },
            prompts: prompt_notes(plan, distinct, base, &self.environment.hub)?,
        })
    }

    /// The cells that the newest run of an experiment has finished.
    pub(crate) fn finished(&self, name: &str) -> Result<HashSet<CellId>, Error> {
        let Some(run) = self.runs.latest(name)? else { return Ok(HashSet::new()) };
        Ok(run.log()?.iter().filter(|row| row.status() == Status::Done).map(LogRow::cell).collect())
    }
}
