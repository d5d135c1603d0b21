//! Pictures and the texts in them.

use crate::folder::Folder;
use maquette_interop::{Metadata, Origin, read_metadata};
use maquette_picture::{decode_bytes, encode_png, size};
use std::path::Path;

thread_local! { static FOLDER: Folder = Folder::new(); }

/// The keywords under which tools keep their texts.
const KEYWORDS: [&str; 12] = [
    "maquette",
    "parameters",
    "prompt",
    "workflow",
    "invokeai_metadata",
    "sd-metadata",
    "Dream",
    "Comment",
    "Description",
    "Title",
    "Software",
    "XML:com.adobe.xmp",
];

/// Decodes a file and reads its texts.
pub fn picture(input: &[u8]) {
    // A file of a few bytes may be a picture of 200 megapixels, which is allowed, but slow.
    let path = FOLDER.with(|folder| folder.write("picture", input));
    let small = size(&path).is_ok_and(|(width, height)| u64::from(width) * u64::from(height) <= 1 << 20);
    if small && let Ok(image) = decode_bytes(Path::new("picture"), input) {
        assert_eq!(image.rgb().len(), 3 * image.width() as usize * image.height() as usize);
    }
    if small && let Ok(metadata) = read_metadata(&path) {
        check(&metadata);
    }
}

/// Reads an EXIF block, in a WebP file around it.
pub fn exif(input: &[u8]) {
    // A picture of one pixel (RFC 9649: a lossless chunk).
    const PIXEL: &[u8] = b"VP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0";
    let mut chunks = PIXEL.to_vec();
    chunks.extend(b"EXIF");
    chunks.extend((input.len() as u32).to_le_bytes());
    chunks.extend(input);
    chunks.resize(chunks.len() + input.len() % 2, 0);
    let length = (4 + chunks.len() as u32).to_le_bytes();
    let file = [&b"RIFF"[..], &length, b"WEBP", &chunks].concat();
    let path = FOLDER.with(|folder| folder.write("exif.webp", &file));
    check(&read_metadata(&path).expect("the picture can be read"));
}

/// Reads a text of a picture. The first byte chooses its keyword; a byte 0 begins another text.
pub fn texts(input: &[u8]) {
    let texts: Vec<(&str, String)> = input
        .split(|byte| *byte == 0)
        .take(3)
        .filter_map(|text| {
            let (first, text) = text.split_first()?;
            Some((KEYWORDS[usize::from(*first) % KEYWORDS.len()], String::from_utf8_lossy(text).into_owned()))
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(keyword, text)| (*keyword, text.as_str())).collect();
    let image = maquette_core::Image::new(1, 1, vec![0; 3]).expect("a picture of one pixel");
    let Ok(png) = encode_png(&image, &texts) else { return };
    let path = FOLDER.with(|folder| folder.write("texts.png", &png));
    check(&read_metadata(&path).expect("the picture can be read"));
}

/// What is found must be of a size that a person can look at.
fn check(metadata: &Metadata) {
    if let Some(Origin::Foreign(found)) = &metadata.origin {
        let bytes: usize = found.settings.iter().map(|(_, value)| value.to_string().len()).sum();
        assert!(bytes <= 64 << 20, "{bytes}");
    }
    assert!(metadata.unreadable.len() <= 200);
}
