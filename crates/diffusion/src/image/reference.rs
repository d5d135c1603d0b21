//! The reference picture, fitted to the target.
//!
//! Not here: resizing (`init_image.rs`) and encoding to latents (the family).

use crate::image::init_image;
use crate::image::init_image::{InitImageError, Margin};
use maquette_core::{Fit, Image, Settings};
use std::path::Path;

/// How a picture is fitted to the target, and the target's size in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub fit: Fit,
    pub width: u32,
    pub height: u32,
}

impl Place {
    pub fn of(settings: &Settings) -> Place {
        Place { fit: settings.fit.unwrap_or(Fit::Crop), width: settings.width, height: settings.height }
    }
}

/// Reads a picture and fits it to the target.
pub(crate) fn open(file: &Path, place: Place) -> Result<Image, InitImageError> {
    let picture = maquette_picture::decode(file)?;
    init_image::fit(&picture, place.fit, Margin::Mean, place.width, place.height)
}
