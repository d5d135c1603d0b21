//! Pictures from files.

use crate::StoreError;
use image::{DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage};
use maquette_core::Image;
use std::io::Cursor;
use std::path::Path;

/// Reads a picture: PNG, JPEG or WebP, told by its content; turned as its camera noted; transparency over white.
pub fn decode(path: &Path) -> Result<Image, StoreError> {
    let bytes = std::fs::read(path).map_err(StoreError::io("read", path))?;
    decode_bytes(&bytes)
        .map_err(|problem| StoreError::NotAPicture { path: path.to_owned(), problem: problem.to_string() })
}

pub(crate) fn decode_bytes(bytes: &[u8]) -> Result<Image, image::ImageError> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    let picture = if picture.color().has_alpha() { over_white(picture) } else { picture.into_rgb8() };
    let (width, height) = picture.dimensions();
    Image::new(width, height, picture.into_raw()).ok_or_else(|| {
        let limit = image::error::LimitErrorKind::DimensionError;
        image::ImageError::Limits(image::error::LimitError::from_kind(limit))
    })
}

fn over_white(picture: DynamicImage) -> RgbImage {
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0.map(u32::from);
        let over = |c: u32| ((c * a + 255 * (255 - a) + 127) / 255) as u8;
        Rgb([over(r), over(g), over(b)])
    })
}
