//! A caption of a picture, to start a prompt from.

use crate::Workspace;
use crate::error::Error;
use crate::vision_models::{self, CAPTION_MODEL};
use maquette_metrics::Captioner;
use std::path::Path;

impl Workspace {
    /// Describes a picture with a BLIP model: a folder or a repository in the hub's cache, by default [`CAPTION_MODEL`].
    /// Downloads nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Picture`] for a file that is no picture, [`Error::NoVisionModel`] for a model that is not here, and
    /// [`Error::Vision`] for one that cannot be used.
    pub fn describe(&self, picture: &Path, model: Option<&str>) -> Result<String, Error> {
        let image = maquette_picture::decode(picture)?;
        let folder =
            vision_models::find(model.unwrap_or(CAPTION_MODEL), Path::new(""), &self.environment.hub)?;
        Ok(Captioner::open(&folder)?.caption(&image)?.text)
    }
}
