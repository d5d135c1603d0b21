//! The runs in the runs folder.

use crate::Workspace;
use crate::error::Error;
use maquette_store::{Run, Status};

/// One run in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEntry {
    /// The run.
    pub run: Run,
    /// What is in it; `None` for a run that cannot be read.
    pub content: Option<RunContent>,
}

/// What is in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunContent {
    /// The experiment's title, or empty.
    pub title: String,
    /// Cells in its plan.
    pub cells: usize,
    /// Cells that are done.
    pub done: usize,
    /// Cells that failed.
    pub failed: usize,
}

impl Workspace {
    /// Every run, by name and number, including damaged ones.
    pub fn list_runs(&self) -> Result<Vec<RunEntry>, Error> {
        let entry = |run: Run| RunEntry { content: content(&run), run };
        Ok(self.runs.list()?.into_iter().map(entry).collect())
    }
}

fn content(run: &Run) -> Option<RunContent> {
    let (plan, log) = (run.plan().ok()?, run.log().ok()?);
    let done = log.iter().filter(|row| row.status() == Status::Done).count();
    Some(RunContent { cells: plan.len(), title: plan.title, done, failed: log.len() - done })
}
