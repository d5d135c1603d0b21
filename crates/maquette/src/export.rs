//! Exports of a run for other programs.

use crate::Workspace;
use crate::error::Error;
use std::path::Path;

impl Workspace {
    /// Copies a run's finished pictures into a new or empty folder as an ImageFolder of Hugging Face's `datasets`: the
    /// pictures, and `metadata.csv` with the file and the settings of each. `run` is a name such as `mucha@2`, a unique
    /// prefix, or a path. Returns the number of pictures.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the run is not found, a picture of it is missing, or the folder is not empty or cannot be written.
    pub fn export_image_folder(&self, run: &str, folder: &Path) -> Result<usize, Error> {
        Ok(self.runs.find(run)?.export_image_folder(folder)?)
    }
}
