//! The reference picture at its place in the target.
//!
//! Resizing is `init_image.rs`; latents are the family's.

use crate::image::init_image;
use crate::image::init_image::{InitImageError, Margin};
use maquette_core::{Fit, Image, Settings};
use std::path::Path;

/// How a picture meets the target, and the target's size in pixels.
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

/// A picture at its place.
pub(crate) fn open(file: &Path, place: Place) -> Result<Image, InitImageError> {
    let picture = maquette_picture::decode(file)?;
    init_image::fit(&picture, place.fit, Margin::Mean, place.width, place.height)
}
