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
    encode(image, texts, |encoder| encoder.set_compression(png::Compression::Balanced))
}

/// The same about five times as fast, for large pictures; files of sheets are at most 1.3 times as large.
///
/// `png::Compression::Fast` takes a fifth of this time and makes files of photographs as small as [`encode_png`] does, but
/// finds no repetitions: sheets of flat areas, or of the same picture several times, become several times larger.
///
/// # Errors
///
/// As for [`encode_png`].
pub fn encode_png_fast(image: &Image, texts: &[(&str, &str)]) -> Result<Vec<u8>, PictureError> {
    encode(image, texts, |encoder| {
        encoder.set_deflate_compression(png::DeflateCompression::Level(2));
        encoder.set_filter(png::Filter::Adaptive);
    })
}

fn encode(
    image: &Image,
    texts: &[(&str, &str)],
    set_compression: fn(&mut png::Encoder<'_, &mut Vec<u8>>),
) -> Result<Vec<u8>, PictureError> {
    let encoded = || {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        set_compression(&mut encoder);
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

    /// The color of a pixel: of the tile with a number, at x and y.
    type Color<'a> = &'a dyn Fn(usize, usize, usize) -> [u8; 3];

    /// A picture of 8 x 4 tiles on white, as on a sheet.
    fn tiles(of: Color<'_>) -> Image {
        let (size, gap) = (96, 12);
        let (width, height) = (gap + 8 * (size + gap), gap + 4 * (size + gap));
        let mut rgb = vec![255; width * height * 3];
        for (tile, y, x) in (0..32 * size * size).map(|n| (n / (size * size), n / size % size, n % size)) {
            let (left, top) = (gap + tile % 8 * (size + gap), gap + tile / 8 * (size + gap));
            let at = ((top + y) * width + left + x) * 3;
            rgb[at..at + 3].copy_from_slice(&of(tile, x, y));
        }
        Image::new(width as u32, height as u32, rgb).unwrap()
    }

    #[test]
    fn fast_files_have_the_same_pixels_and_are_little_larger() {
        let noise = |n: usize| (n as u64 * n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let blank = |_, _, _| [255; 3];
        let stripes = |tile, x, y| noise(tile * 8 + (x + y) / 8 % 8)[..3].try_into().unwrap();
        let noisy = |tile, x, y| noise(tile * 9216 + y * 96 + x)[..3].try_into().unwrap();
        let same = |_, x, y| noise(y * 96 + x)[..3].try_into().unwrap();
        let blocks = |tile, x, y| [noise(tile * 99 + y / 8 * 12 + x / 8)[0] / 128 * 255; 3];
        let soft = |tile, x: usize, y: usize| {
            let wave = |at: usize, period: f64| ((at as f64 / period).sin() * 90.0 + 120.0) as u8;
            let grain = noise(tile * 9216 + y * 96 + x)[0] / 64;
            [wave(x + tile, 20.0), wave(y, 31.0), wave(x + y, 11.0)].map(|color| color + grain)
        };
        let all: [(&str, Color<'_>); 6] = [
            ("blank", &blank),
            ("stripes", &stripes),
            ("noise", &noisy),
            ("the same picture", &same),
            ("blocks", &blocks),
            ("soft", &soft),
        ];
        for (name, of) in all {
            let image = tiles(of);
            let (small, fast) = (encode_png(&image, &[]).unwrap(), encode_png_fast(&image, &[]).unwrap());
            assert!(fast.len() * 10 <= small.len() * 13, "{name}: {} and {}", small.len(), fast.len());
            let read = crate::decode_bytes(std::path::Path::new("x.png"), &fast).unwrap();
            assert!(read == image, "{name}");
        }
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
