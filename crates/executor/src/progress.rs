//! The progress of the loop, and its summary at the end.

use maquette_core::{CellId, Record};
use maquette_store::WorkKind;

/// An event of the loop, for bars, plain lines or JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum RunProgress {
    /// The work is known. `total = done + reused + todo`.
    Planned {
        /// Distinct cells of this share.
        total: usize,
        /// Cells that this run had finished before.
        done: usize,
        /// Cells reused from other runs.
        reused: usize,
        /// Cells to render now.
        todo: usize,
        /// Whether they are drafts.
        drafts: bool,
    },
    /// A model is being loaded.
    Loading {
        /// Its name as written.
        model: String,
    },
    /// A model is ready.
    Loaded {
        /// Its name as written.
        model: String,
        /// How long it took.
        seconds: f64,
    },
    /// A cell starts.
    Started {
        /// Which cell.
        cell: CellId,
        /// Its label on the axes, such as `Edvard Munch, strength 0.3`.
        label: String,
        /// Its number of steps.
        steps: usize,
    },
    /// One step of a cell is done.
    Stepped {
        /// Which cell.
        cell: CellId,
        /// Steps done so far, from 1.
        step: usize,
        /// Steps in all.
        steps: usize,
    },
    /// A cell's picture is in the run folder and its row in the log.
    Finished {
        /// Its record.
        record: Record,
    },
    /// A cell could not be rendered; its row says why.
    Failed {
        /// Its record.
        record: Record,
    },
    /// A warning.
    Warned {
        /// The cell that it is about, if any.
        cell: Option<CellId>,
        /// The warning, in a sentence.
        warning: String,
    },
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Distinct cells of this share.
    pub total: usize,
    /// Cells that were finished before.
    pub done: usize,
    /// Cells reused from other runs.
    pub reused: usize,
    /// Cells rendered now.
    pub rendered: usize,
    /// The kinds of work of the rendered cells, each once.
    pub kinds: Vec<WorkKind>,
    /// Cells that failed now.
    pub failures: Vec<Failure>,
    /// Whether the run was stopped with cells left.
    pub interrupted: bool,
}

/// A cell that could not be rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Which cell.
    pub cell: CellId,
    /// Its label on the axes.
    pub label: String,
    /// What went wrong.
    pub error: String,
}

impl Summary {
    /// Cells without an outcome: those left when a run was interrupted.
    pub fn left(&self) -> usize {
        self.total - self.done - self.reused - self.rendered - self.failures.len()
    }
}
