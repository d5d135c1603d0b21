//! What the loop tells while it works, and what it comes to in the end.

use maquette_core::{CellId, Record};
use maquette_store::WorkKind;

/// Something that happened, for bars, plain lines or JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum RunProgress {
    /// What there is to do is known. `total = done + reused + todo`.
    Planned {
        /// Distinct cells of this share.
        total: usize,
        /// Those that this run had finished before.
        done: usize,
        /// Those taken over from other runs.
        reused: usize,
        /// Those to render now.
        todo: usize,
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
    /// A cell's first step begins.
    Started {
        /// Which cell.
        cell: CellId,
        /// What the axes say of it, such as `Edvard Munch, strength 0.3`.
        label: String,
        /// How many steps it takes.
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
    /// Something that a person should know and that stops nothing.
    Warned {
        /// The cell it was noticed in, if it was in one.
        cell: Option<CellId>,
        /// What it is, in a sentence.
        warning: String,
    },
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Distinct cells of this share.
    pub total: usize,
    /// Those that were finished before.
    pub done: usize,
    /// Those taken over from other runs.
    pub reused: usize,
    /// Those rendered now.
    pub rendered: usize,
    /// The kinds of work that they were, each once.
    pub kinds: Vec<WorkKind>,
    /// Those that failed now.
    pub failures: Vec<Failure>,
    /// Whether somebody asked to stop and cells are left.
    pub interrupted: bool,
}

/// A cell that could not be rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Which cell.
    pub cell: CellId,
    /// What the axes say of it.
    pub label: String,
    /// What went wrong.
    pub error: String,
}

impl Summary {
    /// Cells that nothing has happened to: those left when a run was interrupted.
    pub fn left(&self) -> usize {
        self.total - self.done - self.reused - self.rendered - self.failures.len()
    }
}
