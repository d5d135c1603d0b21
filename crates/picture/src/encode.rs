//! Encodes pixels as a PNG file.

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
    let encoded = || {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
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
    encoded().map_err(|error: png::EncodingError| PictureError::Encode {
        width: image.width(),
        height: image.height(),
        problem: error.to_string(),
    })
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
    }
}
