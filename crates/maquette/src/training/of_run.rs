//! The trainings of a run: before its cells are rendered, and shown in its folder and on its page.

use super::cells_of_run::CellsOfRun;
use super::needed::needed;
use super::progress::TrainingProgress;
use crate::Workspace;
use crate::error::Error;
use crate::run::{RunEvent, write_page};
use maquette_executor::Stop;
use maquette_store::shown_as;
use std::time::{Duration, Instant};

/// How often the page is written during a training, at most.
const PAGE: Duration = Duration::from_secs(5);

impl Workspace {
    /// Does the trainings that the cells of a run need and that are missing. `with_page`: writes the run's page meanwhile.
    pub(crate) fn train_for_run(
        &self,
        of: &CellsOfRun<'_>,
        stop: &Stop,
        with_page: bool,
        report: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<(), Error> {
        let CellsOfRun { run, plan, base, cells } = *of;
        if plan.trainings.is_empty() {
            return Ok(());
        }
        let all = needed(plan, cells)?;
        let show = |report: &mut dyn FnMut(RunEvent<'_>)| {
            for needed in &all {
                if let Err(error) = run.show_training(needed.training, &needed.steps) {
                    report(RunEvent::Warning(format!("a training is not shown in the run: {error}")));
                }
            }
            if with_page {
                write_page(&self.runs, run, plan, report);
            }
        };
        let left = self.runs.without_pictures(cells.iter());
        let mut shown = Instant::now();
        let mut has_trained = false;
        let trained = self.train_missing(plan, base, &left, stop, &mut |event| {
            has_trained = true;
            let is_step =
                matches!(event, TrainingProgress::Step { .. } | TrainingProgress::ClassPictures { .. });
            report(RunEvent::Training(&event));
            if !is_step || shown.elapsed() > PAGE {
                show(report);
                shown = Instant::now();
            }
            Ok(())
        });
        // Also trainings of other runs, and what there is of one that failed.
        if has_trained || all.iter().any(|needed| !run.dir().join(shown_as(needed.training)).is_dir()) {
            show(report);
        }
        trained
    }
}
