//! The pictures of a run: their readable names, their models, which run rendered them.

use crate::log::Log;
use crate::log_columns::Status;
use crate::spread::{is_spread, subfolder};
use crate::{Run, Runs, StoreError, atomic, names, picture};
use maquette_core::{Cell, CellId, Digest, Plan};
use std::collections::HashMap;
use std::path::Path;

/// The run that rendered a cell, and the digest of the pixels.
#[derive(Debug, Clone)]
pub(crate) struct Renderer {
    pub run: String,
    pub pixels: Option<Digest>,
}

impl Renderer {
    /// That of a cell whose run was deleted, or which was killed before it wrote the row.
    pub fn unknown() -> Renderer {
        Renderer { run: "?".to_owned(), pixels: None }
    }
}

/// The fingerprint of the model that a cell of a plan names.
pub(crate) fn fingerprint(plan: &Plan, cell: &Cell) -> Digest {
    // A cell comes from the plan, which has every model it names.
    plan.models.get(&*cell.settings.model).map_or(Digest::from_bytes([0; 32]), |card| card.fingerprint)
}

/// Gives a kept picture its readable name in a folder of a run, or a subfolder, and returns its path in the run.
pub(crate) fn link_picture(
    run: &Run,
    plan: &Plan,
    folder: &str,
    cell: &Cell,
    kept: &Path,
) -> Result<String, StoreError> {
    let folder = match is_spread(plan) {
        true => format!("{folder}/{}", subfolder(&cell.id)),
        false => folder.to_owned(),
    };
    let mut name = names::image_name(plan, &cell.coordinates, &cell.id);
    let images = run.dir().join(&folder);
    let other = picture::cell_in(&images.join(&name)).ok().flatten().is_some_and(|found| found != cell.id);
    if other {
        name = names::long_image_name(plan, &cell.coordinates, &cell.id);
    }
    atomic::link_atomic(kept, &images.join(&name))?;
    Ok(format!("{folder}/{name}"))
}

/// Which run rendered each cell. A log that cannot be read is skipped; its pictures can still be reused.
pub(crate) fn renderers(runs: &Runs) -> HashMap<CellId, Renderer> {
    let mut renderers = HashMap::new();
    for run in runs.list().unwrap_or_default() {
        let Ok(Log { rows, damaged }) = run.read_log() else { continue };
        // A draft may be the cell of another run.
        for row in run.draft_rows().unwrap_or_default().into_iter().chain(rows) {
            if row.status() == Status::Done && row.reused().is_none() {
                renderers.insert(row.cell(), Renderer { run: run.to_string(), pixels: row.pixels() });
            }
        }
        for cell in damaged.iter().filter_map(|row| row.cell) {
            renderers.entry(cell).or_insert_with(|| Renderer { run: run.to_string(), pixels: None });
        }
    }
    renderers
}
