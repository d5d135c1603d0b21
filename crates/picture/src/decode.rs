//! Decodes a file to pixels, within limits.

use crate::PictureError;
use crate::error::{MAX_BYTES, MAX_EDGE, MAX_PIXELS};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage};
use maquette_core::Image;
use maquette_files::limits;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

/// Reads a picture: PNG, JPEG or WebP, detected from its content; rotated by its EXIF orientation; transparency
/// flattened onto white.
///
/// # Errors
///
/// [`PictureError`], also for a file that claims more pixels than the limits allow; nothing is allocated for them.
pub fn decode(path: &Path) -> Result<Image, PictureError> {
    let bytes = maquette_files::read(path, limits::PICTURE).map_err(PictureError::read(path))?;
    decode_bytes(path, &bytes)
}

/// The same from bytes in memory; `path` is for the error.
pub fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<Image, PictureError> {
    let (mut picture, orientation) = decode_pixels(path, bytes)?;
    picture.apply_orientation(orientation);
    let picture = if picture.color().has_alpha() { on_white(picture) } else { picture.into_rgb8() };
    let (width, height) = picture.dimensions();
    Image::new(width, height, picture.into_raw()).ok_or_else(|| PictureError::TooLarge {
        path: path.to_owned(),
        width,
        height,
    })
}

/// The width and height of a picture as [`decode`] returns them, without decoding its pixels.
///
/// # Errors
///
/// Those of [`decode`] that can be found in the file's header.
pub fn size(path: &Path) -> Result<(u32, u32), PictureError> {
    let file = std::fs::File::open(path).map_err(PictureError::read(path))?;
    let mut start = BufReader::new(file);
    let wrong = |error: image::ImageError| {
        // The first bytes show a format that is not supported.
        let bytes = maquette_files::read(path, limits::PICTURE).unwrap_or_default();
        not_a_picture(path, &bytes, &error)
    };
    let first = start.fill_buf().map_err(PictureError::read(path))?;
    allowed(path, png_size(first))?;
    let mut decoder = limited_decoder(start).map_err(wrong)?;
    let (width, height) = decoder.dimensions();
    allowed(path, Some((width, height)))?;
    let turned = matches!(
        decoder.orientation().map_err(wrong)?,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    Ok(if turned { (height, width) } else { (width, height) })
}

/// The pixels as they are in the file, and how they are to be turned.
pub(crate) fn decode_pixels(path: &Path, bytes: &[u8]) -> Result<(DynamicImage, Orientation), PictureError> {
    let wrong = |error: image::ImageError| not_a_picture(path, bytes, &error);
    // The PNG decoder allocates a row of pixels before its size can be read.
    allowed(path, png_size(bytes))?;
    let mut decoder = limited_decoder(Cursor::new(bytes)).map_err(wrong)?;
    allowed(path, Some(decoder.dimensions()))?;
    // `from_decoder` allocates the pixels without checking the limits.
    limits().reserve(decoder.total_bytes()).map_err(wrong)?;
    let orientation = decoder.orientation().map_err(wrong)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(wrong)?;
    Ok((picture, orientation))
}

/// Refuses a size beyond the limits.
fn allowed(path: &Path, size: Option<(u32, u32)>) -> Result<(), PictureError> {
    match size {
        Some((width, height))
            if width > MAX_EDGE || height > MAX_EDGE || u64::from(width) * u64::from(height) > MAX_PIXELS =>
        {
            Err(PictureError::TooLarge { path: path.to_owned(), width, height })
        }
        _ => Ok(()),
    }
}

/// The size in the header of a PNG file.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let sizes = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?.first_chunk::<8>()?;
    let [a, b, c, d, e, f, g, h] = *sizes;
    Some((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])))
}

/// A decoder for a file's bytes, whose format is detected from their content, with limits on its memory.
///
/// All decoders are created here: reference pictures, masks, cells and texts are read through it.
pub(crate) fn limited_decoder<'a>(
    bytes: impl BufRead + Seek + 'a,
) -> Result<impl ImageDecoder + 'a, image::ImageError> {
    let mut reader = ImageReader::new(bytes).with_guessed_format()?;
    reader.limits(limits());
    reader.into_decoder()
}

/// What a decoder may allocate: for the pixels, colour profiles and texts.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

/// Why a file cannot be decoded: its format if the first bytes show it, otherwise the decoder's error.
pub(crate) fn not_a_picture(path: &Path, bytes: &[u8], error: &image::ImageError) -> PictureError {
    let (problem, hint) = match other_format(bytes) {
        Some((format, hint)) => (format!("it is {format}"), Some(hint)),
        None if bytes.is_empty() => ("it is empty".to_owned(), None),
        None if matches!(error, image::ImageError::Limits(_)) => {
            (format!("it needs more memory than a picture of {} megapixels", MAX_PIXELS / 1_000_000), None)
        }
        None if matches!(error, image::ImageError::Unsupported(_)) => {
            ("its format is unknown".to_owned(), None)
        }
        None => (error.to_string(), None),
    };
    PictureError::NotAPicture { path: path.to_owned(), problem, hint }
}

/// Common formats that are not supported, by their first bytes, and how to convert them.
fn other_format(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const EXPORT: &str = "Export it as PNG or JPEG.";
    // ISO base media files: the length of the first box, `ftyp`, then the major brand (ISO/IEC 23008-12, AVIF 1.1).
    if let (Some(b"ftyp"), Some(brand)) = (bytes.get(4..8), bytes.get(8..12)) {
        return match brand {
            b"avif" | b"avis" => Some((
                "AVIF",
                "Export it as PNG or JPEG: open it in a browser or in Preview and save it, or `magick in.avif out.png`.",
            )),
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => Some((
                "HEIC, an iPhone's format",
                "Export it as JPEG: in Photos, File > Export; on the phone, Settings > Camera > Formats > Most Compatible; \
                 or `magick in.heic out.jpg`.",
            )),
            _ => Some(("a video or another ISO media file", EXPORT)),
        };
    }
    let known: [(&[u8], &str); 7] = [
        (b"GIF8", "GIF"),
        (b"BM", "BMP"),
        (b"II*\0", "TIFF, or a camera's raw file"),
        (b"MM\0*", "TIFF, or a camera's raw file"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL ", "JPEG XL"),
        (b"8BPS", "a Photoshop file"),
    ];
    let found = known.iter().find(|(start, _)| bytes.starts_with(start));
    found.map(|(_, format)| (*format, EXPORT))
}

fn on_white(picture: DynamicImage) -> RgbImage {
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|level| over_white(level, alpha)))
    })
}

/// Pillow's `alpha_composite` on white: `(level * alpha + 255 * (255 - alpha)) / 255`, rounded.
fn over_white(level: u8, alpha: u8) -> u8 {
    let sum = u32::from(level) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
    ((sum + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode_png;

    fn error(bytes: &[u8]) -> PictureError {
        decode_bytes(Path::new("x.png"), bytes).unwrap_err()
    }

    #[test]
    fn files_that_are_not_pictures_are_named() {
        let check = |bytes: &[u8], expected: &str| {
            let text = error(bytes).to_string();
            assert!(text.contains(expected), "{text}");
            assert!(text.contains("allowed: PNG, JPEG, WebP"), "{text}");
        };
        check(b"", "it is empty");
        check(b"not a picture", "not a readable picture");
        check(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "it is HEIC");
        check(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "it is AVIF");
        check(b"GIF89a", "it is GIF");
        assert!(error(b"\0\0\0\x18ftypheic\0\0\0\0").hint().unwrap().contains("Export it as JPEG"));
        assert!(decode(Path::new("/nowhere/x.png")).unwrap_err().to_string().contains("cannot read"));
    }

    /// A PNG whose header claims this size, followed by a few bytes.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = encode_png(&Image::new(1, 1, vec![0; 3]).unwrap(), &[]).unwrap();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// CRC-32 of PNG chunks (ISO 3309).
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    #[test]
    fn the_size_is_that_of_the_decoded_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        let image = Image::new(3, 2, vec![9; 18]).unwrap();
        for bytes in [encode_png(&image, &[]).unwrap(), crate::encode_webp(&image, 80.0).unwrap()] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(size(&path).unwrap(), (3, 2));
        }
        for bytes in [&b""[..], b"not a picture", &bomb(1 << 30, 8)] {
            std::fs::write(&path, bytes).unwrap();
            let (size, decoded) = (size(&path).unwrap_err(), decode(&path).unwrap_err());
            assert_eq!(size.to_string(), decoded.to_string());
        }
    }

    #[test]
    fn a_decompression_bomb_is_refused_before_anything_is_allocated() {
        for (width, height) in [(1 << 30, 1 << 30), (32_000, 32_000), (40_000, 1)] {
            let text = error(&bomb(width, height)).to_string();
            assert!(
                text.contains("pixels; allowed: at most 32768 on each side and 200 megapixels"),
                "{text}"
            );
        }
        // 196 megapixels of four channels with 16 bits: few enough pixels, too many bytes.
        let mut deep = bomb(14_000, 14_000);
        deep[24..26].copy_from_slice(&[16, 6]);
        let crc = crc32(&deep[12..29]);
        deep[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(error(&deep).to_string().contains("it needs more memory"), "{}", error(&deep));
        // Within the limits it is only a damaged picture.
        assert!(matches!(error(&bomb(2, 2)), PictureError::NotAPicture { .. }));
    }
}
