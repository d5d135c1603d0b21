//! Masks of the pictures of a run, kept in the run's folder for other experiments.

use crate::error::Error;
use crate::mask::{Mask, check};
use maquette_core::{CellId, Image, Value};
use maquette_files::{is_plain_path, limits};
use maquette_picture::{decode, encode_png, read_texts};
use maquette_planner::{Line, experiment};
use maquette_store::{Run, Status, StoreError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The keyword of the text in a mask's file that names the picture it is for, relative to the run. It is only there if that
/// is not the reference picture, which the experiment has anyway.
const PICTURE: &str = "init_image";

/// A picture of a run, by a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskedPicture {
    /// The reference picture of that cell: its `init_image`, in its own size.
    Reference(CellId),
    /// The finished picture of that cell.
    Cell(CellId),
}

/// A mask in the folder of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedMask {
    /// Its file, relative to the run, with `/`.
    pub file: String,
    /// The lines of an experiment that uses it. Paths are absolute, as the experiment may be anywhere.
    pub toml: String,
}

impl MaskedPicture {
    /// Reads the picture and checks that all points are in it, before a model is loaded for them.
    ///
    /// # Errors
    ///
    /// [`Error::NoPicture`] for a cell without such a picture; [`Error::OutsidePicture`], also without any point;
    /// [`Error::Picture`] if the file cannot be read; [`Error::Store`] for a cell that is not in the run.
    pub fn load(self, run: &Run, points: &[(f64, f64)]) -> Result<Image, Error> {
        let image = decode(&self.file(run)?)?;
        check(&image, points)?;
        Ok(image)
    }

    /// Keeps a mask of this picture in the folder of the run; `name` is the beginning of the file's name.
    ///
    /// # Errors
    ///
    /// As for [`MaskedPicture::load`]; [`Error::Store`] if the mask cannot be written.
    pub fn save(self, run: &Run, mask: &Mask, name: &str) -> Result<SavedMask, Error> {
        let picture = match self {
            MaskedPicture::Reference(_) => None,
            MaskedPicture::Cell(_) => Some(self.file(run)?),
        };
        let picture = picture.as_deref().and_then(|picture| within(run, picture));
        let texts: Vec<(&str, &str)> = picture.iter().map(|picture| (PICTURE, &**picture)).collect();
        let file = run.write_mask(name, &encode_png(&mask.image, &texts)?)?;
        Ok(saved(run, &file, picture.as_deref()))
    }

    /// The path of the picture, which is in the run's folder, also if its plan or log was edited.
    fn file(self, run: &Run) -> Result<PathBuf, Error> {
        let (MaskedPicture::Reference(cell) | MaskedPicture::Cell(cell)) = self;
        let none = |what| Error::NoPicture { cell, run: run.to_string(), what };
        let plan = run.plan()?;
        let index = (0..plan.len()).find(|&index| plan.id(index).is_ok_and(|id| id == cell));
        let index = index.ok_or_else(|| StoreError::NoCell { cell, run: run.to_string() })?;
        let file = match self {
            MaskedPicture::Reference(_) => {
                let picture = plan.cell(index)?.settings.init_image;
                picture.map(|picture| picture.file.to_path_buf()).ok_or_else(|| none("reference picture"))?
            }
            MaskedPicture::Cell(_) => {
                let log = run.log()?;
                let row = log.iter().find(|row| row.cell() == cell && row.status() == Status::Done);
                let image = row.and_then(|row| row.image()).ok_or_else(|| none("finished picture"))?;
                run.picture(image).map_err(|_| none("picture in the folder of the run"))?
            }
        };
        // A file that is gone is an error when it is read.
        Ok(file)
    }
}

/// The masks that were saved in the folder of a run, by their names.
///
/// # Errors
///
/// [`Error::Store`] if the folder cannot be read.
pub fn saved_masks(run: &Run) -> Result<Vec<SavedMask>, Error> {
    let masks = run.masks()?;
    Ok(masks.iter().map(|file| saved(run, file, picture_of(file).as_deref())).collect())
}

/// The picture of the run that a mask's file names.
fn picture_of(mask: &Path) -> Option<String> {
    let bytes = maquette_files::read(mask, limits::PICTURE).ok()?;
    let texts = read_texts(mask, &bytes).ok()?;
    texts.get(PICTURE).filter(|path| is_plain_path(path)).map(str::to_owned)
}

fn saved(run: &Run, file: &Path, picture: Option<&str>) -> SavedMask {
    let line = |name: &str, file: &Path| Line {
        name: name.to_owned(),
        value: Value::from(&*absolute(file)),
        remark: String::new(),
    };
    let picture = picture.map(|picture| line("init_image", &run.dir().join(picture)));
    let lines: Vec<Line> = picture.into_iter().chain([line("mask", file)]).collect();
    SavedMask { file: within(run, file).unwrap_or_default(), toml: experiment(&[], &lines) }
}

/// A path relative to the run, with `/`.
fn within(run: &Run, file: &Path) -> Option<String> {
    file.strip_prefix(run.dir()).ok().map(|file| file.to_string_lossy().replace('\\', "/"))
}

fn absolute(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.to_string_lossy().replace('\\', "/")
}
