//! Compares two runs, or neighbours inside one: settings, cells and pixels.

use crate::Workspace;
use crate::error::Error;
use crate::sheets::{self, Log};
use maquette_core::Plan;
use maquette_interop::encode_sheet;
use maquette_reporter::{Diff, Side, Tile, diff, diff_along, diff_pages, render_diff};
use maquette_store::{Run, Runs, write_atomic};
use std::path::{Path, PathBuf};

/// Two runs, or one, and their differences.
pub struct Comparison {
    pub(crate) runs: Runs,
    pub(crate) left: LoadedRun,
    /// `None` for a comparison inside one run.
    pub(crate) right: Option<LoadedRun>,
    /// The differences.
    pub diff: Diff,
}

/// A run with everything that a comparison needs.
pub(crate) struct LoadedRun {
    name: String,
    pub run: Run,
    pub plan: Plan,
    log: Log,
}

impl Workspace {
    /// Compares two runs, each named as in [`Workspace::report`].
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a run is not found or cannot be read.
    pub fn diff(&self, left: &str, right: &str) -> Result<Comparison, Error> {
        let (left, right) = (self.load(left)?, self.load(right)?);
        let diff = {
            let (load_left, load_right) = (|index| left.tile(index), |index| right.tile(index));
            diff(&left.side(&load_left), &right.side(&load_right))?
        };
        Ok(Comparison { runs: self.runs.clone(), left, right: Some(right), diff })
    }

    /// Compares the neighbours along an axis inside one run, named as in [`Workspace::report`]: each picture with the one
    /// that has the next value, for every combination of the other axes.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found or cannot be read; [`Error::Along`] if it has no such axis.
    pub fn diff_along(&self, run: &str, axis: &str) -> Result<Comparison, Error> {
        let run = self.load(run)?;
        let diff = diff_along(&run.side(&|index| run.tile(index)), axis)?;
        Ok(Comparison { runs: self.runs.clone(), left: run, right: None, diff })
    }

    fn load(&self, name: &str) -> Result<LoadedRun, Error> {
        let run = self.runs.find(name)?;
        let plan = run.plan()?;
        let log = sheets::log(&run)?;
        Ok(LoadedRun { name: run.to_string(), run, plan, log })
    }
}

impl Comparison {
    /// Writes sheets with the two runs side by side into a folder and returns their paths. `warn` gets problems with the
    /// sheets.
    pub fn write_sheets(&self, folder: &Path, warn: &mut dyn FnMut(&str)) -> Result<Vec<PathBuf>, Error> {
        let Comparison { left, diff, .. } = self;
        let right = self.right.as_ref().unwrap_or(left);
        let (load_left, load_right) = (|index| left.tile(index), |index| right.tile(index));
        let (left, right) = (left.side(&load_left), right.side(&load_right));
        let write = |page| {
            let image = render_diff(diff, &page, &left, &right);
            let shows = serde_json::json!({ "maquette_diff": 1, "left": diff.left, "right": diff.right });
            let path = folder.join(format!("{}.png", page.name));
            write_atomic(&path, &encode_sheet(&image, &shows.to_string())?)?;
            Ok(path)
        };
        let pages = diff_pages(diff, &left, &right);
        if let Some(page) = pages.first() {
            sheets::warn_of_boxes(&page.missing_glyphs(), warn);
        }
        pages.into_iter().map(write).collect()
    }
}

impl LoadedRun {
    fn side<'a>(&'a self, load: &'a (dyn Fn(usize) -> Tile + Sync)) -> Side<'a> {
        Side { name: &self.name, plan: &self.plan, load }
    }

    fn tile(&self, index: usize) -> Tile {
        sheets::load(&self.run, &self.plan, &self.log, index)
    }
}
