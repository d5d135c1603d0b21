//! The texts in a picture file: PNG's text chunks, the EXIF block of any file, and JPEG's comments.
//!
//! They are not interpreted here. A text that cannot be read is reported, never skipped silently.

use crate::PictureError;
use crate::containers::{Blocks, blocks};
use crate::decode::{limited_decoder, not_a_picture};
use crate::exif;
use crate::texts::Texts;
use std::io::Cursor;
use std::path::Path;

/// The most bytes that a packed text may unpack to; real ones are a few hundred kilobytes.
pub(crate) const MOST: usize = 16 << 20;

/// The most packed texts of each kind that are unpacked: tools write up to five.
const MOST_PACKED: usize = 100;

/// Reads the texts of a picture, whose format is detected from its content; `path` is for the error.
pub fn read_texts(path: &Path, bytes: &[u8]) -> Result<Texts, PictureError> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return png(bytes).map_err(|error| PictureError::NotAPicture {
            path: path.to_owned(),
            problem: error.to_string(),
            hint: None,
        });
    }
    jpeg_or_webp(bytes).map_err(|error| not_a_picture(path, bytes, &error))
}

/// The texts of a PNG file; `None` if the bytes are not a PNG file.
pub fn read_png_texts(bytes: &[u8]) -> Option<Texts> {
    png(bytes).ok()
}

fn png(bytes: &[u8]) -> Result<Texts, png::DecodingError> {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info()?;
    let mut texts = Texts::default();
    // Texts may come after the pixels, too. A truncated picture still has those before them.
    if let Err(error) = reader.finish() {
        texts.problem(format!("the picture is damaged, so texts may be missing: {error}"));
    }
    let info = reader.info();
    for chunk in &info.uncompressed_latin1_text {
        texts.add(&*chunk.keyword, perhaps_utf8(&chunk.text));
    }
    let mut packed = |keyword: &str, text: Result<String, png::DecodingError>| match text {
        Ok(text) => texts.add(keyword, text),
        Err(error) => texts.problem(format!("the text `{keyword}` cannot be unpacked: {error}")),
    };
    for chunk in info.compressed_latin1_text.iter().take(MOST_PACKED) {
        let mut chunk = chunk.clone();
        let text = chunk.decompress_text_with_limit(MOST).and_then(|()| chunk.get_text());
        packed(&chunk.keyword, text.map(|text| perhaps_utf8(&text)));
    }
    for chunk in info.utf8_text.iter().take(MOST_PACKED) {
        let mut chunk = chunk.clone();
        let text = chunk.decompress_text_with_limit(MOST).and_then(|()| chunk.get_text());
        packed(&chunk.keyword, text);
    }
    if let Some(block) = &info.exif_metadata {
        exif::read(block, &mut texts);
    }
    // The decoder skips invalid chunks, such as text that should be UTF-8 and is not.
    for keyword in keywords(bytes) {
        if texts.is_full() {
            break;
        }
        let known = texts.found.iter().any(|(known, _)| *known == keyword);
        if !known && !texts.unreadable.iter().any(|problem| problem.contains(&format!("`{keyword}`"))) {
            texts.problem(format!("the text `{keyword}` is not valid in PNG; it may not be UTF-8"));
        }
    }
    Ok(texts)
}

/// Some tools write UTF-8 where PNG requires Latin-1. Real Latin-1 is almost never valid UTF-8 by accident.
fn perhaps_utf8(latin_1: &str) -> String {
    if latin_1.is_ascii() {
        return latin_1.to_owned();
    }
    let bytes: Option<Vec<u8>> = latin_1.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| latin_1.to_owned())
}

/// The keywords of all text chunks, readable or not.
fn keywords(bytes: &[u8]) -> Vec<String> {
    let mut keywords = Vec::new();
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let data = &tail[..length.min(tail.len())];
        if matches!(&head[4..], b"tEXt" | b"zTXt" | b"iTXt") {
            let keyword = data.iter().take(79).take_while(|byte| **byte != 0).map(|byte| char::from(*byte));
            keywords.push(keyword.collect());
        }
        rest = tail.get(length.saturating_add(4)..).unwrap_or_default();
    }
    keywords
}

/// The texts of a JPEG or WebP file, whose header is checked.
fn jpeg_or_webp(bytes: &[u8]) -> Result<Texts, image::ImageError> {
    limited_decoder(Cursor::new(bytes))?;
    let mut texts = Texts::default();
    let Blocks { exif, xmp, comments } = blocks(bytes);
    exif.into_iter().for_each(|block| exif::read(block, &mut texts));
    for (keyword, found) in [("XML:com.adobe.xmp", xmp), ("Comment", comments)] {
        let text = |bytes| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
        found.into_iter().for_each(|bytes| texts.add(keyword, text(bytes)));
    }
    Ok(texts)
}
