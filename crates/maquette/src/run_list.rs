//! The runs in the runs folder.

use crate::Workspace;
use crate::error::Error;
use maquette_store::{LogRow, Run, Status};

/// One run in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEntry {
    /// The run.
    pub run: Run,
    /// What is in it; `None` for a run that cannot be read.
    pub content: Option<RunContent>,
}

/// What is in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunContent {
    /// The experiment's title, or empty.
    pub title: String,
    /// Cells in its plan.
    pub cells: usize,
    /// Cells that are done.
    pub done: usize,
    /// Cells that failed.
    pub failed: usize,
    /// When it was started, in seconds since 1970, by the time of its experiment file.
    pub started: Option<u64>,
    /// When its log last changed, in seconds since 1970.
    pub changed: Option<u64>,
    /// The engine's time for its cells in seconds; reused pictures take none.
    pub seconds: f64,
    /// The models that its cells may name.
    pub models: Vec<String>,
    /// Whether a process writes into it now.
    pub in_use: bool,
    /// The number of picked cells; `None` if `picks.toml` cannot be read.
    pub picks: Option<usize>,
    /// The run that its experiment was derived from, by its present name.
    pub parent: Option<String>,
}

impl Workspace {
    /// Every run, by name and number, including damaged ones.
    pub fn list_runs(&self) -> Result<Vec<RunEntry>, Error> {
        let entry = |run: Run| RunEntry { content: self.content(&run), run };
        Ok(self.runs.list()?.into_iter().map(entry).collect())
    }

    fn content(&self, run: &Run) -> Option<RunContent> {
        self.runs.bring(run).ok()?;
        let (plan, log) = (run.plan().ok()?, run.log().ok()?);
        let done = log.iter().filter(|row| row.status() == Status::Done).count();
        let (started, changed) = run.times();
        let present = |name: String| self.runs.present_name(&name).unwrap_or(name);
        Some(RunContent {
            cells: plan.len(),
            title: plan.title,
            done,
            failed: log.len() - done,
            started,
            changed,
            seconds: log.iter().filter_map(LogRow::seconds).sum(),
            models: plan.models.into_keys().collect(),
            // A bucket has no locks.
            in_use: match self.runs.is_bucket() {
                true => run.sharing().is_ok_and(|sharing| sharing.is_some()),
                false => run.is_in_use(),
            },
            picks: run.count_picks().ok(),
            parent: plan.derived_from.map(|from| present(from.run)),
        })
    }
}
