//! A mask: from a file to one level per pixel of the target. White is repainted, black is kept, grey is in between.
//!
//! It is fitted like its reference picture. How the levels affect latents is in `latent_blend.rs`.

use crate::image::init_image;
use crate::image::init_image::{InitImageError, Margin};
use maquette_core::{Fit, Image};
use maquette_picture::decode;
use std::path::{Path, PathBuf};

/// Levels of a mask, row by row: 0 is kept, 255 is repainted from the first step on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mask {
    width: usize,
    levels: Vec<u8>,
}

/// A mask that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// It cannot be read or resized.
    #[error(transparent)]
    Picture(#[from] InitImageError),
    /// Its aspect ratio differs from the picture's.
    #[error(
        "the mask `{}` has {}x{} pixels, but its picture `{}` has {}x{}; allowed: any size with the same aspect ratio",
        .mask.display(), .mask_size.0, .mask_size.1, .picture.display(), .picture_size.0, .picture_size.1
    )]
    Shape {
        /// The mask's file.
        mask: PathBuf,
        /// Its width and height.
        mask_size: (u32, u32),
        /// The reference picture's file.
        picture: PathBuf,
        /// Its width and height.
        picture_size: (u32, u32),
    },
}

/// Checks that a mask fits a picture: both can be read, and have the same aspect ratio.
pub fn check_mask(mask: &Path, picture: &Path) -> Result<(), MaskError> {
    read(mask, picture).map(|_| ())
}

/// The mask of a picture, at exactly `width` x `height`.
///
/// A black and white mask stays black and white: grey levels from resizing are thresholded, as in diffusers'
/// `mask_processor`. Margins around the picture with `Fit::Contain` are white, as there is nothing to keep.
pub(crate) fn fitted(
    mask: &Path,
    picture: &Path,
    fit: Fit,
    width: u32,
    height: u32,
) -> Result<Mask, MaskError> {
    let drawn = read(mask, picture)?;
    let grey = levels(&drawn).any(|level| !matches!(level, 0 | 255));
    let resized = init_image::fit(&drawn, fit, Margin::White, width, height)?;
    let mask = Mask { width: width as usize, levels: levels(&resized).collect() };
    Ok(if grey { mask } else { mask.thresholded() })
}

impl Mask {
    /// A mask that keeps nothing.
    pub fn white(width: u32, height: u32) -> Mask {
        Mask { width: width as usize, levels: vec![255; (width * height) as usize] }
    }

    /// The mask in black and white: levels of 128 and more are repainted.
    pub fn thresholded(&self) -> Mask {
        let cut = |&level: &u8| if level < 128 { 0 } else { 255 };
        Mask { width: self.width, levels: self.levels.iter().map(cut).collect() }
    }

    /// One level per pixel, row by row.
    pub fn levels(&self) -> &[u8] {
        &self.levels
    }

    /// One level per latent pixel of `factor` x `factor` pixels: that of its first pixel, like torch's
    /// `interpolate(mode="nearest")` in diffusers' `prepare_mask_latents`.
    pub fn cells(&self, factor: usize) -> Vec<u8> {
        let rows = self.levels.chunks_exact(self.width).step_by(factor);
        rows.flat_map(|row| row.iter().step_by(factor)).copied().collect()
    }
}

fn read(mask: &Path, picture: &Path) -> Result<Image, MaskError> {
    let (drawn, of) =
        (decode(mask).map_err(InitImageError::from)?, decode(picture).map_err(InitImageError::from)?);
    let size = |image: &Image| (image.width(), image.height());
    if !same_shape(size(&drawn), size(&of)) {
        let (mask, picture) = (mask.to_owned(), picture.to_owned());
        return Err(MaskError::Shape { mask, mask_size: size(&drawn), picture, picture_size: size(&of) });
    }
    Ok(drawn)
}

/// Whether one size may be the other one scaled, with edges rounded to whole pixels in either direction.
fn same_shape(one: (u32, u32), other: (u32, u32)) -> bool {
    let ((w, h), (of_w, of_h)) = (one, other);
    let cross = |a: u32, b: u32| u64::from(a) * u64::from(b);
    let off = cross(w, of_h).abs_diff(cross(h, of_w));
    let edges = |w: u32, h: u32| u64::from(w) + u64::from(h);
    off < edges(w, h).max(edges(of_w, of_h))
}

/// Pillow's luminance (`convert("L")`, ITU-R 601-2 in 16-bit fixed point).
fn levels(image: &Image) -> impl Iterator<Item = u8> {
    image.rgb().as_chunks().0.iter().map(|&[red, green, blue]: &[u8; 3]| {
        let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue) + 0x8000;
        (sum >> 16) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgba, RgbaImage};

    #[test]
    fn a_mask_may_have_any_size_with_the_same_aspect_ratio() {
        let check = |one, other, expected| {
            assert_eq!(same_shape(one, other), expected, "{one:?} {other:?}");
            assert_eq!(same_shape(other, one), expected, "{other:?} {one:?}");
        };
        check((512, 512), (512, 512), true);
        check((64, 64), (512, 512), true);
        check((85, 128), (600, 900), true);
        check((300, 451), (600, 901), true);
        check((512, 512), (512, 520), false);
        check((512, 512), (600, 900), false);
        check((600, 900), (900, 600), false);
    }

    #[test]
    fn each_latent_pixel_has_the_level_of_its_first_pixel() {
        let mask = Mask { width: 4, levels: (0..8).collect() };
        assert_eq!(mask.cells(2), [0, 2]);
        assert_eq!(mask.cells(1), (0..8).collect::<Vec<_>>());
    }

    fn saved(folder: &Path, name: &str, width: u32, height: u32, level: impl Fn(u32, u32) -> u8) -> PathBuf {
        let file = folder.join(name);
        GrayImage::from_fn(width, height, |x, y| Luma([level(x, y)])).save(&file).unwrap();
        file
    }

    #[test]
    fn black_and_white_masks_stay_so_and_grey_masks_stay_grey() {
        let folder = tempfile::tempdir().unwrap();
        let picture = saved(folder.path(), "picture.png", 30, 20, |_, _| 90);
        let halves =
            |white| saved(folder.path(), "mask.png", 60, 40, move |x, _| if x < 31 { 0 } else { white });
        for (white, grey) in [(255, false), (254, true)] {
            for &fit in Fit::ALL {
                let mask = fitted(&halves(white), &picture, fit, 16, 16).unwrap();
                assert_eq!(mask.levels.len(), 256);
                let between = mask.levels.iter().any(|level| !matches!(level, 0 | 255));
                assert_eq!(between, grey, "{white} {fit}");
            }
        }
    }

    #[test]
    fn margins_and_transparent_parts_are_repainted() {
        let folder = tempfile::tempdir().unwrap();
        let picture = saved(folder.path(), "picture.png", 32, 16, |_, _| 90);
        let black = saved(folder.path(), "mask.png", 32, 16, |_, _| 0);
        let mask = fitted(&black, &picture, Fit::Contain, 16, 16).unwrap();
        assert!(mask.levels[..64].iter().all(|&level| level == 255));
        assert!(mask.levels[64..192].iter().all(|&level| level == 0));
        let file = folder.path().join("hole.png");
        let pixel = |x, _| Rgba([0, 0, 0, if x < 16 { 0 } else { 255 }]);
        RgbaImage::from_fn(32, 16, pixel).save(&file).unwrap();
        let hole = fitted(&file, &picture, Fit::Crop, 32, 16).unwrap();
        assert_eq!(hole.levels[..32], [[255; 16], [0; 16]].concat());
    }

    #[test]
    fn a_mask_for_another_picture_is_refused_with_both_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let picture = saved(folder.path(), "picture.png", 32, 16, |_, _| 90);
        let mask = saved(folder.path(), "mask.png", 20, 20, |_, _| 0);
        let error = check_mask(&mask, &picture).unwrap_err().to_string();
        for part in ["mask.png` has 20x20", "picture.png` has 32x16", "the same aspect ratio"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(check_mask(&folder.path().join("none.png"), &picture).is_err());
    }
}
