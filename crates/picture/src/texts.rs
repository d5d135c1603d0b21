//! The texts in a picture file: PNG's text chunks, and the EXIF comment of JPEG and WebP files.
//!
//! They are not interpreted here. A text that cannot be read is reported, never skipped silently.

use crate::PictureError;
use crate::decode::{limited_decoder, not_a_picture};
use image::ImageDecoder;
use std::io::Cursor;
use std::path::Path;

/// The most bytes that a packed text may unpack to; real ones are a few hundred kilobytes.
const MOST: usize = 16 << 20;

/// The texts of one file.
#[derive(Debug, Default, PartialEq)]
pub struct Texts {
    /// Keyword and text, in the file's order within each kind of chunk.
    pub found: Vec<(String, String)>,
    /// What could not be read, each a sentence without a full stop.
    pub unreadable: Vec<String>,
}

impl Texts {
    /// The first text with this keyword.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.found.iter().find(|(known, _)| known == keyword).map(|(_, text)| text.as_str())
    }
}

/// Reads the texts of a picture, whose format is detected from its content; `path` is for the error.
pub fn read_texts(path: &Path, bytes: &[u8]) -> Result<Texts, PictureError> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return png(bytes).map_err(|error| PictureError::NotAPicture {
            path: path.to_owned(),
            problem: error.to_string(),
            hint: None,
        });
    }
    exif(bytes).map_err(|error| not_a_picture(path, bytes, &error))
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
        texts.unreadable.push(format!("the picture is damaged, so texts may be missing: {error}"));
    }
    let info = reader.info();
    for chunk in &info.uncompressed_latin1_text {
        texts.found.push((chunk.keyword.clone(), perhaps_utf8(&chunk.text)));
    }
    let mut packed = |keyword: &str, text: Result<String, png::DecodingError>| match text {
        Ok(text) => texts.found.push((keyword.to_owned(), text)),
        Err(error) => texts.unreadable.push(format!("the text `{keyword}` cannot be unpacked: {error}")),
    };
    for chunk in &info.compressed_latin1_text {
        let mut chunk = chunk.clone();
        let text = chunk.decompress_text_with_limit(MOST).and_then(|()| chunk.get_text());
        packed(&chunk.keyword, text.map(|text| perhaps_utf8(&text)));
    }
    for chunk in &info.utf8_text {
        let mut chunk = chunk.clone();
        let text = chunk.decompress_text_with_limit(MOST).and_then(|()| chunk.get_text());
        packed(&chunk.keyword, text);
    }
    // The decoder skips invalid chunks, such as text that should be UTF-8 and is not.
    for keyword in keywords(bytes) {
        let known = texts.found.iter().any(|(known, _)| *known == keyword);
        if !known && !texts.unreadable.iter().any(|problem| problem.contains(&format!("`{keyword}`"))) {
            texts.unreadable.push(format!("the text `{keyword}` is not valid in PNG; it may not be UTF-8"));
        }
    }
    Ok(texts)
}

/// Some tools write UTF-8 where PNG requires Latin-1. Real Latin-1 is almost never valid UTF-8 by accident.
fn perhaps_utf8(latin_1: &str) -> String {
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

/// The EXIF comment of a JPEG or WebP file, where A1111 writes its text.
fn exif(bytes: &[u8]) -> Result<Texts, image::ImageError> {
    let mut decoder = limited_decoder(bytes)?;
    let mut texts = Texts::default();
    let Some(block) = decoder.exif_metadata()? else { return Ok(texts) };
    // WebP files sometimes have the marker of a JPEG segment before the block.
    let block = block.strip_prefix(b"Exif\0\0").map(<[u8]>::to_vec).unwrap_or(block);
    match exif::Reader::new().read_raw(block) {
        Ok(block) => {
            let field = block.get_field(exif::Tag::UserComment, exif::In::PRIMARY);
            let comment = match field.map(|field| &field.value) {
                Some(exif::Value::Undefined(comment, _) | exif::Value::Byte(comment)) => comment,
                _ => return Ok(texts),
            };
            match user_comment(comment) {
                Some(text) => texts.found.push(("parameters".to_owned(), text)),
                None => texts.unreadable.push("the EXIF comment has an unknown encoding".to_owned()),
            }
        }
        Err(error) => texts.unreadable.push(format!("the EXIF block cannot be read: {error}")),
    }
    Ok(texts)
}

/// EXIF's UserComment: eight bytes that name the encoding, then the text.
///
/// `UNICODE` is UTF-16 of the block's byte order in the standard, big-endian as piexif writes it for A1111, and
/// little-endian elsewhere: the order that gives more characters below U+0250 is used.
fn user_comment(bytes: &[u8]) -> Option<String> {
    let (coding, text) = bytes.split_at_checked(8)?;
    let text = match coding {
        b"UNICODE\0" => {
            let decode = |unit: fn([u8; 2]) -> u16| {
                let units: Vec<u16> = text.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
                let plain = units.iter().filter(|unit| (1..0x250).contains(*unit)).count();
                (plain, String::from_utf16(&units).ok())
            };
            let (big, little) = (decode(u16::from_be_bytes), decode(u16::from_le_bytes));
            if little.0 > big.0 { little.1 } else { big.1 }?
        }
        b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0" => String::from_utf8(text.to_vec()).ok()?,
        _ => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_either_byte_order() {
        let comment = |unit: fn(u16) -> [u8; 2], text: &str| {
            let mut bytes = b"UNICODE\0".to_vec();
            bytes.extend(text.encode_utf16().flat_map(unit));
            user_comment(&bytes)
        };
        for text in ["a cat\nSteps: 20", "猫, Steps: 20", "é"] {
            assert_eq!(comment(u16::to_be_bytes, text).as_deref(), Some(text));
            assert_eq!(comment(u16::to_le_bytes, text).as_deref(), Some(text));
        }
        assert_eq!(user_comment(b"ASCII\0\0\0a cat\0").as_deref(), Some("a cat"));
        assert_eq!(user_comment(b"\0\0\0\0\0\0\0\0caf\xc3\xa9").as_deref(), Some("café"));
        assert_eq!(user_comment(b"JIS\0\0\0\0\0a"), None);
        assert_eq!(user_comment(b"ASC"), None);
        assert_eq!(user_comment(b"UNICODE\0\xd8"), None);
    }
}
