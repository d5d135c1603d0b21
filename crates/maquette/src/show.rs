//! How a picture was made, by Maquette or another tool.

use crate::Workspace;
use crate::error::Error;
use crate::recreate::{NearbyFiles, RecreatedExperiment, recreate, recreate_foreign};
use crate::sheets;
use maquette_core::CellId;
use maquette_interop::{Metadata, Origin, Place, SheetMap, read_metadata};
use maquette_store::Run;
use std::collections::HashMap;
use std::path::Path;

/// How a picture was made.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureInfo {
    /// Its metadata.
    pub metadata: Metadata,
    /// The pictures on it if it is a contact sheet.
    pub sheet: Vec<SheetCell>,
}

/// One picture on a contact sheet.
#[derive(Debug, Clone, PartialEq)]
pub struct SheetCell {
    /// Its cell.
    pub cell: CellId,
    /// Where it is on the sheet.
    pub place: Place,
    /// Its label on the axes; empty if the sheet's run was not found.
    pub label: String,
    /// The picture file, relative to the run's folder, if there is one.
    pub image: Option<String>,
}

impl Workspace {
    /// How a picture was made.
    ///
    /// # Errors
    ///
    /// [`Error::Picture`] for a file that is not a picture, [`Error::NoOrigin`] for a picture without such metadata.
    pub fn show(&self, image: &Path) -> Result<PictureInfo, Error> {
        let metadata = read_metadata(image)?;
        let sheet = match origin_of(image, &metadata)? {
            Origin::Sheet(sheet) => cells(sheet, Run::around(image).as_ref()),
            Origin::Cell(_) | Origin::Foreign(_) => Vec::new(),
        };
        Ok(PictureInfo { metadata, sheet })
    }

    /// The experiment file that makes a picture again, with remarks on what could not be carried over as comments.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::show`], and [`Error::IsASheet`].
    pub fn experiment_of(&self, image: &Path) -> Result<String, Error> {
        let metadata = read_metadata(image)?;
        let origin = origin_of(image, &metadata)?;
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let from = match origin {
            Origin::Cell(info) => format!("From {name}, which is the cell {}", info.cell.short()),
            Origin::Foreign(foreign) => format!("From the metadata of {} in {name}", foreign.tool.name()),
            Origin::Sheet(_) => String::new(),
        };
        Ok(self.recreated(image, origin, &self.nearby(image))?.text(&from))
    }

    /// The experiment behind a picture. Files are looked for near it.
    pub(crate) fn recreated(
        &self,
        image: &Path,
        origin: &Origin,
        nearby: &NearbyFiles,
    ) -> Result<RecreatedExperiment, Error> {
        match origin {
            Origin::Cell(info) => Ok(recreate(info, nearby)),
            Origin::Foreign(foreign) => Ok(recreate_foreign(foreign, nearby)),
            Origin::Sheet(sheet) => Err(Error::IsASheet {
                image: image.to_owned(),
                sheet: Box::new(sheet.clone()),
                experiment: nearby.run.as_ref().map(|run| run.dir().join("experiment.toml")),
            }),
        }
    }

    /// The places around a picture where the files that it names may be.
    pub(crate) fn nearby(&self, image: &Path) -> NearbyFiles {
        NearbyFiles::around(image, self.environment.folder.as_deref())
    }
}

/// The origin of a picture, or the error that its metadata has none.
pub(crate) fn origin_of<'a>(image: &Path, metadata: &'a Metadata) -> Result<&'a Origin, Error> {
    metadata
        .origin
        .as_ref()
        .ok_or_else(|| Error::NoOrigin { image: image.to_owned(), unreadable: metadata.unreadable.clone() })
}

/// The pictures on a sheet, with their labels and files from its run.
fn cells(sheet: &SheetMap, run: Option<&Run>) -> Vec<SheetCell> {
    let plan = run.and_then(|run| run.plan().ok());
    let log = run.and_then(|run| sheets::log(run).ok());
    let mut places: HashMap<CellId, usize> = HashMap::new();
    if let Some(plan) = &plan {
        // Backwards, so that the first of several identical cells gives the label.
        places.extend((0..plan.len()).rev().filter_map(|index| Some((plan.id(index).ok()?, index))));
    }
    let label = |id: &CellId| Some(plan.as_ref()?.label(&plan.as_ref()?.coordinates(*places.get(id)?)));
    let cell = |(id, place): &(CellId, Place)| SheetCell {
        cell: *id,
        place: *place,
        label: label(id).unwrap_or_default(),
        image: log.as_ref().and_then(|log| log.get(id)?.image().map(str::to_owned)),
    };
    sheet.cells.iter().map(cell).collect()
}
