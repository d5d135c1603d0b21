//! Encodes pixels as a PNG or a WebP file.

use crate::PictureError;
use maquette_core::Image;

/// An image as PNG, 8 bits per channel, with texts under their keywords. The same arguments give the same bytes.
///
/// A `parameters` text that fits Latin-1 becomes a `tEXt` chunk, as Pillow writes it; everything else is `iTXt`.
///
/// # Errors
///
/// [`PictureError::Encode`] for an image without pixels.
pub fn encode_png(image: &Image, texts: &[(&str, &str)]) -> Result<Vec<u8>, PictureError> {
    encode(image, texts, png::Compression::Balanced)
}

/// The same about twenty times as fast, for large pictures: files of photographs are as small, those of flat areas larger.
///
/// # Errors
///
/// As for [`encode_png`].
pub fn encode_png_fast(image: &Image, texts: &[(&str, &str)]) -> Result<Vec<u8>, PictureError> {
    encode(image, texts, png::Compression::Fast)
}

fn encode(
    image: &Image,
    texts: &[(&str, &str)],
    compression: png::Compression,
) -> Result<Vec<u8>, PictureError> {
    let encoded = || {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(compression);
        for &(keyword, text) in texts {
            let latin_1 = text.chars().all(|c| u32::from(c) < 256);
            if keyword == "parameters" && latin_1 {
                encoder.add_text_chunk(keyword.to_owned(), text.to_owned())?;
            } else {
                encoder.add_itxt_chunk(keyword.to_owned(), text.to_owned())?;
            }
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(image.rgb())?;
        writer.finish()?;
        Ok(bytes)
    };
    encoded().map_err(|error: png::EncodingError| refused(image, "PNG", error.to_string()))
}

/// An image as WebP with loss, without texts; `quality` is libwebp's, from 0 to 100. The same arguments give the same bytes.
///
/// # Errors
///
/// [`PictureError::Encode`] for an image without pixels or with an edge above 16383, WebP's limit.
pub fn encode_webp(image: &Image, quality: f32) -> Result<Vec<u8>, PictureError> {
    let encoder = webp::Encoder::from_rgb(image.rgb(), image.width(), image.height());
    match encoder.encode_simple(false, quality.clamp(0.0, 100.0)) {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) => Err(refused(image, "WebP", format!("{error:?}"))),
    }
}

fn refused(image: &Image, format: &'static str, problem: String) -> PictureError {
    PictureError::Encode { width: image.width(), height: image.height(), format, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn text_that_fits_latin_1_is_a_plain_chunk_as_pillow_writes_it() {
        let kinds = |text: &str| {
            let image = Image::new(1, 1, vec![0; 3]).unwrap();
            let bytes = encode_png(&image, &[("parameters", text), ("maquette", "{}")]).unwrap();
            let info = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap().info().clone();
            (info.uncompressed_latin1_text.len(), info.utf8_text.len())
        };
        assert_eq!(kinds("café"), (1, 1));
        assert_eq!(kinds("猫"), (0, 2));
    }

    #[test]
    fn an_image_without_pixels_is_refused() {
        let error = encode_png(&Image::new(0, 0, vec![]).unwrap(), &[]).unwrap_err().to_string();
        assert!(error.starts_with("a picture of 0x0 pixels cannot be written as PNG"), "{error}");
        let error = encode_webp(&Image::new(0, 0, vec![]).unwrap(), 80.0).unwrap_err().to_string();
        assert!(error.starts_with("a picture of 0x0 pixels cannot be written as WebP"), "{error}");
    }

    #[test]
    fn webp_is_close_to_the_picture_and_always_the_same() {
        let rgb = (0..64 * 48).flat_map(|at| [(at % 64) as u8 * 4, (at / 64) as u8 * 5, 90]).collect();
        let image = Image::new(64, 48, rgb).unwrap();
        let bytes = encode_webp(&image, 80.0).unwrap();
        assert_eq!(bytes, encode_webp(&image, 80.0).unwrap());
        let read = crate::decode_bytes(std::path::Path::new("x.webp"), &bytes).unwrap();
        assert_eq!((read.width(), read.height()), (64, 48));
        let difference: u64 =
            image.rgb().iter().zip(read.rgb()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(difference < 4 * image.rgb().len() as u64, "{difference}");
    }
}
