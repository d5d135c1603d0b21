//! How a picture was made, by Maquette or another tool.

use crate::Workspace;
use crate::error::Error;
use crate::recreate::{NearbyFiles, RecreatedExperiment, recreate, recreate_foreign};
use crate::sheets;
use maquette_core::CellId;
use maquette_interop::{GenerationInfo, Metadata, Origin, Place, SheetMap, read_metadata};
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
    /// Its label on the axes; if the sheet's run was not found, the settings that vary on the sheet.
    pub label: String,
    /// The picture file, relative to the run's folder, if there is one.
    pub image: Option<String>,
}

/// A place on a contact sheet, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SheetPlace {
    /// The column, from the left.
    pub column: usize,
    /// The row, from the top.
    pub row: usize,
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

    /// How one cell of a contact sheet was made: what the sheet says, otherwise what its run says.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::show`]; [`Error::NotASheet`] for another picture; [`Error::NoSuchPlace`]; [`Error::SheetLacks`]
    /// for a sheet of an older version whose run is not found.
    pub fn show_at(&self, image: &Path, place: SheetPlace) -> Result<PictureInfo, Error> {
        let metadata = read_metadata(image)?;
        let Origin::Sheet(sheet) = origin_of(image, &metadata)? else {
            return Err(Error::NotASheet { image: image.to_owned() });
        };
        let at = sheet.at(place.column, place.row)?;
        let info = sheet.recipe(at).or_else(|| info_from_run(&Run::around(image)?, sheet.cells[at].0));
        let info = info.ok_or_else(|| lacks(image, sheet, "the settings of its cells"))?;
        let origin = Some(Origin::Cell(Box::new(info)));
        Ok(PictureInfo { metadata: Metadata { origin, ..metadata }, sheet: Vec::new() })
    }

    /// The experiment file that makes a picture again, with remarks on what could not be carried over as comments. For a
    /// contact sheet it is the experiment that made all of it.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::show`]; [`Error::SheetLacks`] for a sheet of an older version whose run is not found.
    pub fn experiment_of(&self, image: &Path) -> Result<String, Error> {
        let metadata = read_metadata(image)?;
        let origin = origin_of(image, &metadata)?;
        let name = file_name(image);
        let from = match origin {
            Origin::Cell(info) => format!("From {name}, which is the cell {}", info.cell.short()),
            Origin::Foreign(foreign) => format!("From the metadata of {} in {name}", foreign.tool.name()),
            Origin::Sheet(sheet) => {
                let of_run = || Run::around(image)?.experiment().ok();
                let text = sheet.experiment.clone().or_else(of_run);
                let text = text.ok_or_else(|| lacks(image, sheet, "its experiment"))?;
                return Ok(format!(
                    "# From {name}, a sheet of {}. Paths are relative to this file.\n\n{text}",
                    sheet.run
                ));
            }
        };
        Ok(self.recreated(image, origin, &self.nearby(image))?.text(&from))
    }

    /// The experiment file that makes one cell of a contact sheet again.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::show_at`].
    pub fn experiment_at(&self, image: &Path, place: SheetPlace) -> Result<String, Error> {
        let info = self.show_at(image, place)?;
        let origin = origin_of(image, &info.metadata)?;
        let SheetPlace { column, row } = place;
        let from = format!("From {}, column {column}, row {row}", file_name(image));
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
            Origin::Sheet(sheet) => {
                Err(Error::IsASheet { image: image.to_owned(), sheet: Box::new(sheet.clone()) })
            }
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

/// How a cell was made, by the plan of its run.
fn info_from_run(run: &Run, id: CellId) -> Option<GenerationInfo> {
    let plan = run.plan().ok()?;
    let index = (0..plan.len()).find(|&index| plan.id(index).is_ok_and(|found| found == id))?;
    let cell = plan.cell(index).ok()?;
    let card = plan.models.get(&*cell.settings.model)?;
    Some(GenerationInfo::of(&cell, &card.fingerprint))
}

fn lacks(image: &Path, sheet: &SheetMap, what: &'static str) -> Error {
    Error::SheetLacks { image: image.to_owned(), what, run: sheet.run.clone() }
}

fn file_name(image: &Path) -> String {
    image.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The pictures on a sheet, with their labels and files from its run; without the run, with what varies among them.
fn cells(sheet: &SheetMap, run: Option<&Run>) -> Vec<SheetCell> {
    let plan = run.and_then(|run| run.plan().ok());
    let log = run.and_then(|run| sheets::log(run).ok());
    let mut places: HashMap<CellId, usize> = HashMap::new();
    if let Some(plan) = &plan {
        // Backwards, so that the first of several identical cells gives the label.
        places.extend((0..plan.len()).rev().filter_map(|index| Some((plan.id(index).ok()?, index))));
    }
    let label = |id: &CellId| Some(plan.as_ref()?.label(&plan.as_ref()?.coordinates(*places.get(id)?)));
    let varying = |at: usize| {
        let varying = sheet.varying(at).into_iter().map(|(name, value)| format!("{name} {value}"));
        varying.collect::<Vec<_>>().join(", ")
    };
    let cell = |(at, (id, place)): (usize, &(CellId, Place))| SheetCell {
        cell: *id,
        place: *place,
        label: label(id).unwrap_or_else(|| varying(at)),
        image: log.as_ref().and_then(|log| log.get(id)?.image().map(str::to_owned)),
    };
    sheet.cells.iter().enumerate().map(cell).collect()
}
