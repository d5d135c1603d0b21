//! A mask of the thing at a point of a picture.

use crate::Workspace;
use crate::error::Error;
use crate::vision_models::{self, MASK_MODEL};
use maquette_core::{Digest, Image};
use maquette_metrics::{SeenPicture, Segmenter};
use maquette_store::write_atomic;
use std::path::Path;

/// A mask for an experiment: white is repainted, black is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// The mask, of the size of its picture, in black and white.
    pub image: Image,
    /// The share of it that is white, 0..1.
    pub white: f64,
    /// The model's own estimate of its quality, about 0..1.
    pub quality: f64,
}

/// A model that makes masks. Remembers the last picture that it looked at, as that takes most of the time.
pub struct Masker {
    model: Segmenter,
    last: Option<(Digest, SeenPicture)>,
}

impl Workspace {
    /// A mask of the thing at some points of a picture, in pixels from the picture's top left, made by a Segment Anything
    /// model: a folder or a repository in the hub's cache, by default [`MASK_MODEL`]. The thing is white, and so repainted;
    /// with `invert` it is kept and everything else is repainted. Downloads nothing.
    ///
    /// # Errors
    ///
    /// As for [`Workspace::masker`] and [`Masker::mask`]; [`Error::Picture`] for a file that is no picture.
    pub fn mask_at(
        &self,
        picture: &Path,
        points: &[(f64, f64)],
        invert: bool,
        model: Option<&str>,
    ) -> Result<Mask, Error> {
        let image = maquette_picture::decode(picture)?;
        check(&image, points)?;
        self.masker(model)?.mask(&image, points, invert)
    }

    /// The model that [`Workspace::mask_at`] uses, for several masks.
    ///
    /// # Errors
    ///
    /// [`Error::NoVisionModel`] for a model that is not here, and [`Error::Vision`] for one that cannot be used.
    pub fn masker(&self, model: Option<&str>) -> Result<Masker, Error> {
        let folder = vision_models::find(model.unwrap_or(MASK_MODEL), Path::new(""), &self.environment.hub)?;
        Ok(Masker { model: Segmenter::open(&folder)?, last: None })
    }
}

impl Masker {
    /// As [`Workspace::mask_at`], of a picture in memory.
    ///
    /// # Errors
    ///
    /// [`Error::OutsidePicture`] for a point that is not in the picture, or no point at all.
    pub fn mask(&mut self, image: &Image, points: &[(f64, f64)], invert: bool) -> Result<Mask, Error> {
        check(image, points)?;
        let digest = image.digest();
        if self.last.as_ref().is_none_or(|(last, _)| *last != digest) {
            self.last = Some((digest, self.model.see(image)?));
        }
        let Some((_, seen)) = &self.last else { unreachable!("the picture was looked at above") };
        let segment = self.model.segment(seen, points)?;
        let white: Vec<bool> = segment.inside.iter().map(|&inside| inside != invert).collect();
        let rgb = white.iter().flat_map(|&white| [if white { 255 } else { 0 }; 3]).collect();
        let share = white.iter().filter(|&&white| white).count() as f64 / white.len() as f64;
        let image = Image::new(segment.width, segment.height, rgb);
        let image = image.unwrap_or_else(|| unreachable!("three bytes for each pixel"));
        Ok(Mask { image, white: share, quality: segment.quality })
    }
}

impl Mask {
    /// Writes it as a PNG file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), Error> {
        Ok(write_atomic(file, &self.png()?)?)
    }

    /// The bytes of that file.
    ///
    /// # Errors
    ///
    /// [`Error::Picture`] if it cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        Ok(maquette_picture::encode_png(&self.image, &[])?)
    }
}

/// Checks that there are points, and that all are in the picture.
pub(crate) fn check(image: &Image, points: &[(f64, f64)]) -> Result<(), Error> {
    let (width, height) = (image.width(), image.height());
    let inside = |&(x, y): &(f64, f64)| x >= 0.0 && y >= 0.0 && x < f64::from(width) && y < f64::from(height);
    match points.iter().find(|point| !inside(point)) {
        Some(&(x, y)) => Err(Error::OutsidePicture { point: Some((x, y)), width, height }),
        None if points.is_empty() => Err(Error::OutsidePicture { point: None, width, height }),
        None => Ok(()),
    }
}
