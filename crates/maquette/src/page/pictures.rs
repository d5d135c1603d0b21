//! What is known of the pictures of a run: their files, sizes and thumbnails. Remembered, so that only new pictures are
//! opened while a run goes on.

use super::thumbnails::{make, sizes};
use crate::error::{Error, with_causes};
use maquette_core::{CellId, Plan};
use maquette_picture::size;
use maquette_reporter::page::{PictureFacts, PictureStatus};
use maquette_store::{DamagedRow, Log, LogRow, PictureState, Run, Status, Thumbnails};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use std::collections::HashMap;

/// The pictures of a run.
pub(super) struct KnownPictures {
    /// The sizes of the thumbnails, ascending; the same for all pictures.
    sizes: Vec<Thumbnails>,
    pictures: Vec<Picture>,
}

/// The picture of one cell.
struct Picture {
    cell: CellId,
    /// Its file, relative to the run, and what was found there; `None` if the log has no picture.
    file: Option<PictureFile>,
    /// Whether that is a draft.
    draft: bool,
}

struct PictureFile {
    image: String,
    /// `None` if the file is gone.
    state: Option<PictureState>,
    /// Width and height, or why it cannot be shown.
    size: Result<(u32, u32), String>,
    /// Whether it has all thumbnails.
    thumbnail: bool,
}

impl KnownPictures {
    /// Nothing is known yet of these cells of a plan.
    pub fn new(plan: &Plan, cells: Vec<CellId>, longest_edge: u32) -> KnownPictures {
        let pictures = cells.into_iter().map(|cell| Picture { cell, file: None, draft: false }).collect();
        KnownPictures { sizes: sizes(plan, longest_edge), pictures }
    }

    /// The sizes of the thumbnails, ascending.
    pub fn sizes(&self) -> &[Thumbnails] {
        &self.sizes
    }

    /// Looks at the files of the pictures that the log names, and of the drafts of cells that the log does not list.
    pub fn update(&mut self, run: &Run, log: &Log, drafts: &HashMap<CellId, LogRow>) {
        let rows: HashMap<CellId, &LogRow> = log.rows.iter().map(|row| (row.cell(), row)).collect();
        let sizes = &self.sizes;
        self.pictures.par_iter_mut().for_each(|picture| {
            let logged = rows.get(&picture.cell).copied();
            let row = logged.or_else(|| drafts.get(&picture.cell));
            let Some(image) = row.filter(|row| row.status() == Status::Done).and_then(LogRow::image) else {
                picture.file = None;
                return;
            };
            picture.draft = logged.is_none();
            let state = PictureState::of(&run.dir().join(image));
            match &picture.file {
                Some(known) if known.image == image && known.state == state => {}
                _ => picture.file = Some(PictureFile::open(run, &picture.cell, image, state, sizes)),
            }
        });
    }

    /// Makes the thumbnails that are missing, on all cores.
    pub fn make_all_thumbnails(&mut self, run: &Run) -> Result<(), Error> {
        let sizes = &self.sizes;
        self.pictures.par_iter_mut().try_for_each(|picture| picture.make_thumbnails(run, sizes))
    }

    /// Makes thumbnails that are missing, on this thread, as long as `more` says so. Returns whether any was made.
    pub fn make_some_thumbnails(&mut self, run: &Run, more: &mut dyn FnMut() -> bool) -> Result<bool, Error> {
        let mut any = false;
        for picture in &mut self.pictures {
            if picture.lacks_thumbnails(&self.sizes) {
                if !more() {
                    break;
                }
                picture.make_thumbnails(run, &self.sizes)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// The cells whose thumbnails are to stay. Those of cells that have not ended may just have been made by another shard.
    pub fn with_thumbnails(&self) -> Vec<CellId> {
        let gone = |picture: &Picture| picture.file.as_ref().is_some_and(|file| file.size.is_err());
        self.pictures.iter().filter(|picture| !gone(picture)).map(|picture| picture.cell).collect()
    }

    /// The facts about each picture, after [`KnownPictures::update`] with the same log.
    pub fn facts(&self, log: &Log) -> Vec<PictureFacts> {
        let rows: HashMap<CellId, &LogRow> = log.rows.iter().map(|row| (row.cell(), row)).collect();
        let damaged: HashMap<CellId, String> =
            log.damaged.iter().filter_map(|row| Some((row.cell?, damaged_text(row)))).collect();
        let facts = |picture: &Picture| match (rows.get(&picture.cell), &picture.file) {
            (None, Some(file)) if picture.draft && file.size.is_ok() => {
                PictureFacts { draft: true, ..file.facts() }
            }
            (None, _) => {
                PictureFacts { problem: damaged.get(&picture.cell).cloned(), ..PictureFacts::missing() }
            }
            (Some(row), _) if row.status() == Status::Failed => PictureFacts {
                status: PictureStatus::Failed,
                problem: Some(row.error().unwrap_or("failed").to_owned()),
                ..PictureFacts::missing()
            },
            (Some(_), None) => PictureFacts {
                problem: Some("the log names no picture".to_owned()),
                ..PictureFacts::missing()
            },
            (Some(_), Some(file)) => file.facts(),
        };
        self.pictures.iter().map(facts).collect()
    }
}

impl Picture {
    fn lacks_thumbnails(&self, sizes: &[Thumbnails]) -> bool {
        !sizes.is_empty() && self.file.as_ref().is_some_and(|file| file.size.is_ok() && !file.thumbnail)
    }

    fn make_thumbnails(&mut self, run: &Run, sizes: &[Thumbnails]) -> Result<(), Error> {
        let lacks = self.lacks_thumbnails(sizes);
        let Some(file) = self.file.as_mut().filter(|_| lacks) else { return Ok(()) };
        let Some(state) = file.state else { return Ok(()) };
        match make(run, &self.cell, &file.image, state, sizes) {
            Ok(()) => file.thumbnail = true,
            Err(Error::Picture(error)) => file.size = Err(with_causes(&error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl PictureFile {
    fn open(
        run: &Run,
        cell: &CellId,
        image: &str,
        state: Option<PictureState>,
        sizes: &[Thumbnails],
    ) -> PictureFile {
        let size = match (run.picture(image), state) {
            (Err(_), _) => {
                Err(format!("the log names `{image}`, which is not a picture in the run's folder"))
            }
            (Ok(_), None) => {
                Err(format!("`{image}` is gone; the next `maquette run` of the experiment makes it again"))
            }
            (Ok(path), Some(_)) => size(&path).map_err(|error| with_causes(&error)),
        };
        let made = |state| sizes.iter().all(|&of| run.has_thumbnail(of, cell, state));
        let thumbnail = size.is_ok() && !sizes.is_empty() && state.is_some_and(made);
        PictureFile { image: image.to_owned(), state, size, thumbnail }
    }

    fn facts(&self) -> PictureFacts {
        match &self.size {
            Ok(size) => PictureFacts {
                status: PictureStatus::Done,
                image: Some(self.image.clone()),
                size: Some(*size),
                thumbnail: self.thumbnail,
                ..PictureFacts::missing()
            },
            Err(problem) => PictureFacts {
                status: if self.state.is_some() { PictureStatus::Done } else { PictureStatus::Missing },
                problem: Some(problem.clone()),
                ..PictureFacts::missing()
            },
        }
    }
}

/// A damaged row without the path of the run, which may have moved.
pub(super) fn damaged_text(row: &DamagedRow) -> String {
    let file = row.file.file_name().unwrap_or_default().to_string_lossy();
    format!("line {} of {file} {}: its cell counts as not done", row.line, row.problem)
}
