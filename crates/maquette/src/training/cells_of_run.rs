//! The cells of a run, for the trainings that they need.

use maquette_core::{CellId, Plan};
use maquette_store::Run;
use std::path::Path;

/// A run whose cells are about to be rendered.
pub(crate) struct CellsOfRun<'a> {
    pub run: &'a Run,
    pub plan: &'a Plan,
    /// The experiment's folder.
    pub base: &'a Path,
    /// The distinct cells of this process.
    pub cells: &'a [(usize, CellId)],
}
