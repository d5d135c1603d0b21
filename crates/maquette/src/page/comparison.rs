//! The page of a comparison. The pictures stay in the folders of their runs.

use super::PageWriter;
use super::relative::relative_url;
use crate::diff::{Comparison, LoadedRun};
use crate::error::{Error, with_causes};
use maquette_core::CellId;
use maquette_reporter::CellAt;
use maquette_reporter::page::{APP_CSS, APP_JS, DiffCell, PictureFacts, data_script, diff_page, index_html};
use maquette_store::{Runs, StoreError, Thumbnails, write_atomic};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a page shows of a run's pictures.
struct Shown {
    /// The run's folder, relative to the page.
    folder: String,
    /// The facts on each cell and its label.
    cells: HashMap<CellId, (PictureFacts, String)>,
    sizes: HashMap<CellId, (u32, u32)>,
    /// The largest thumbnails.
    thumbnails: Option<Thumbnails>,
}

impl Comparison {
    /// Writes a page of the comparison and returns its path: `index.html` in that folder, or by default in a folder of the
    /// runs folder, the same for the same two runs. It refers to the pictures in the folders of the runs, whose thumbnails
    /// are made if they are missing. `warn` gets what the page lacks.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a run cannot be read or the page cannot be written.
    pub fn write_page(&self, folder: Option<&Path>, warn: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
        let diff = &self.diff;
        let folder = folder.map_or_else(|| self.runs.diff_folder(&diff.left, &diff.right), Path::to_owned);
        let write = |name: &str, bytes: &[u8]| write_atomic(&folder.join(name), bytes);
        // First, so that the folder exists and has a place among the others.
        write("page/app.js", APP_JS)?;
        write("page/app.css", APP_CSS)?;
        let left = shown(&self.runs, &self.left, &folder, warn)?;
        let other = self.right.as_ref().map(|right| shown(&self.runs, right, &folder, warn)).transpose()?;
        let right = other.as_ref().unwrap_or(&left);
        let page =
            diff_page(diff, env!("CARGO_PKG_VERSION"), &|cell| left.cell(cell), &|cell| right.cell(cell));
        write("page/data.js", data_script(&page).as_bytes())?;
        write("index.html", index_html(&format!("{} and {}", diff.left, diff.right)).as_bytes())?;
        Ok(folder.join("index.html"))
    }
}

fn shown(runs: &Runs, loaded: &LoadedRun, folder: &Path, warn: &mut dyn FnMut(&str)) -> Result<Shown, Error> {
    let LoadedRun { run, plan, .. } = loaded;
    let mut writer = PageWriter::new(runs, run, plan)?;
    if let Err(error) = writer.finish_thumbnails() {
        warn(&format!("some thumbnails of {run} could not be made: {}", with_causes(&error)));
    }
    let log = run.read_log()?;
    // A draft is not the picture of its cell.
    let finals = |facts: PictureFacts| if facts.draft { PictureFacts::missing() } else { facts };
    let facts: Vec<_> = writer.pictures.facts(&log).into_iter().map(finals).collect();
    let planned = &writer.planned;
    let folder = relative_url(folder, run.dir()).map_err(|error| {
        Error::Store(StoreError::Io { doing: "read", path: run.dir().to_owned(), source: error })
    })?;
    Ok(Shown {
        folder,
        sizes: planned.cells.iter().copied().zip(planned.sizes.iter().copied()).collect(),
        cells: planned
            .cells
            .iter()
            .copied()
            .zip(facts.into_iter().zip(planned.labels.iter().cloned()))
            .collect(),
        thumbnails: writer.pictures.sizes().last().copied(),
    })
}

impl Shown {
    fn cell(&self, at: &CellAt) -> DiffCell {
        let (facts, label) =
            self.cells.get(&at.id).cloned().unwrap_or((PictureFacts::missing(), String::new()));
        let inside = |path: &str| format!("{}/{path}", self.folder);
        let thumbnail = self.thumbnails.as_ref().filter(|_| facts.thumbnail);
        let planned = self.sizes.get(&at.id).copied().unwrap_or_default();
        DiffCell {
            cell: at.id.to_string(),
            label,
            image: facts.image.as_deref().map(inside),
            thumbnail: thumbnail.map(|of| inside(&of.file(&at.id))),
            size: facts.size.unwrap_or(planned),
            problem: facts.problem,
        }
    }
}
