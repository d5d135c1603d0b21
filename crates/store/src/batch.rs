//! Records cells that ended, several with one wait for the disk: first their pictures, then their rows.

use crate::pictures_of_run::Renderer;
use crate::{PictureProblem, RunWriter, StoreError, picture};
use maquette_core::{Cell, Image, Outcome, Record, Remarks};

/// Cells that ended and are not in the log yet, from [`RunWriter::batch`]. Dropped without [`Batch::commit`], it writes no row;
/// its pictures are found when the run is resumed.
pub struct Batch<'a> {
    run: &'a mut RunWriter,
    records: Vec<Record>,
}

/// The result of reusing a picture.
#[derive(Debug)]
pub enum Reuse {
    /// The picture was linked into this run.
    Taken,
    /// No run has finished that cell.
    Absent,
    /// There is a picture, but it is not the rendered one.
    Unusable(PictureProblem),
}

impl RunWriter {
    /// Begins to record cells.
    pub fn batch(&mut self) -> Batch<'_> {
        Batch { run: self, records: Vec::new() }
    }
}

impl Batch<'_> {
    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has no cells.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Keeps the picture of a newly rendered cell.
    pub fn finish(
        &mut self,
        cell: &Cell,
        image: &Image,
        seconds: f64,
        device: &str,
        remarks: Remarks,
    ) -> Result<(), StoreError> {
        let kept = self.run.keep(cell, image, &remarks)?;
        let outcome =
            Outcome::Done { image: self.run.link(cell, &kept)?, pixels: image.digest(), reused: None };
        let (seconds, device) = (Some(seconds), Some(device.to_owned()));
        self.records.push(Record { cell: cell.clone(), outcome, seconds, device, remarks });
        Ok(())
    }

    /// Adds a cell that could not be rendered.
    pub fn fail(&mut self, cell: &Cell, error: &str, device: &str) {
        let outcome = Outcome::Failed { error: error.to_owned() };
        let (cell, device) = (cell.clone(), Some(device.to_owned()));
        self.records.push(Record { cell, outcome, seconds: None, device, remarks: Remarks::default() });
    }

    /// Reuses the picture of a cell that another run has finished, if its pixels are the rendered ones by the log of the
    /// run that rendered it and by its metadata.
    pub fn reuse(&mut self, cell: &Cell) -> Result<Reuse, StoreError> {
        let kept = self.run.kept(&cell.id);
        let Renderer { run, pixels } = self.run.renderer(&cell.id);
        let picture::Whole { remarks, pixels } = match picture::check(&kept, &cell.id, pixels) {
            Ok(Some(whole)) => whole,
            Ok(None) => return Ok(Reuse::Absent),
            Err(problem) => {
                return Ok(Reuse::Unusable(PictureProblem { cell: cell.id, path: kept, problem }));
            }
        };
        let outcome = Outcome::Done { image: self.run.link(cell, &kept)?, pixels, reused: Some(run) };
        self.records.push(Record { cell: cell.clone(), outcome, seconds: None, device: None, remarks });
        Ok(Reuse::Taken)
    }

    /// Forces the pictures to the disk, writes the rows and forces them, too. Returns what was recorded, in the order in which
    /// it was added.
    pub fn commit(self) -> Result<Vec<Record>, StoreError> {
        if !self.records.is_empty() {
            self.run.commit(&self.records)?;
        }
        Ok(self.records)
    }
}
