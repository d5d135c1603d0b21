//! A picture as the bytes of a PNG file, with the texts that say what made it. Reading them is `metadata/`.
//!
//! `parameters` is for the tools of others (see `parameters.rs`); `maquette` holds every setting as JSON. Nothing in
//! a picture varies from run to run: no time, no absolute path, no host, so the same cell gives the same bytes.

use crate::StoreError;
use crate::metadata::{self, Made, Recipe};
use crate::parameters::parameters;
use maquette_core::{Cell, CellId, Digest, Image, Remarks};
use serde_json::Value as Json;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// What the engine had to say of one of our pictures.
pub(crate) fn remarks(path: &Path) -> Result<Remarks, StoreError> {
    Ok(match metadata::read_metadata(path)?.made {
        Some(Made::Cell(recipe)) => recipe.remarks,
        _ => Remarks::default(),
    })
}

/// A contact sheet as the bytes of a PNG file, with what it shows as JSON in a `maquette` text. The same arguments
/// give the same bytes.
pub fn encode_sheet(image: &Image, shows: &Json) -> Result<Vec<u8>, StoreError> {
    encode(image, &[("maquette", &shows.to_string())])
}

/// The picture of a cell, with the two texts that say what made it; the fingerprint is its model's.
pub fn encode_cell(
    image: &Image,
    cell: &Cell,
    fingerprint: &Digest,
    remarks: &Remarks,
) -> Result<Vec<u8>, StoreError> {
    let recipe = Recipe { remarks: remarks.clone(), ..Recipe::of(cell, fingerprint) };
    let recipe = serde_json::json!(recipe).to_string();
    encode(image, &[("parameters", &parameters(cell, fingerprint)), ("maquette", &recipe)])
}

/// A picture as PNG, with texts under their keywords.
///
/// A `parameters` text that fits Latin-1 becomes a `tEXt` chunk, as Pillow writes it; everything else is `iTXt`.
fn encode(image: &Image, texts: &[(&str, &str)]) -> Result<Vec<u8>, StoreError> {
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
    encoded().map_err(|error: png::EncodingError| StoreError::NoPng {
        width: image.width(),
        height: image.height(),
        problem: error.to_string(),
    })
}

/// Whether those bytes are a whole picture of that cell: decoded in full.
pub(crate) fn shows(bytes: &[u8], id: &CellId) -> bool {
    let ours = metadata::ours(bytes).is_some_and(|recipe| recipe.cell == *id);
    // The decoder forgives a missing end; the last chunk has no content, so these are always its bytes.
    ours && bytes.ends_with(b"IEND\xae\x42\x60\x82") && crate::decode::decode_bytes(bytes).is_ok()
}

/// Whether that file is there, says it is that cell and is not cut off; its pixels are not looked at.
///
/// Quick enough to ask of every picture of a large run; a rename that a power cut left half done shows here.
pub(crate) fn seems_to_show(path: &Path, id: &CellId) -> bool {
    cell_in(path).is_ok_and(|found| found == Some(*id))
}

/// The cell that a whole PNG file says it is.
pub(crate) fn cell_in(path: &Path) -> std::io::Result<Option<CellId>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut signature = [0; 8];
    file.read_exact(&mut signature)?;
    if signature != SIGNATURE {
        return Ok(None);
    }
    let mut cell = None;
    loop {
        let mut header = [0; 8];
        file.read_exact(&mut header)?;
        let [a, b, c, d, kind @ ..] = header;
        let length = u32::from_be_bytes([a, b, c, d]);
        match &kind {
            b"iTXt" if length < 1 << 24 => {
                let mut data = vec![0; length as usize];
                file.read_exact(&mut data)?;
                // Keyword, then five bytes of flags and empty names, as `encode` writes them.
                let ours = data.strip_prefix(b"maquette\0\0\0\0\0").map(serde_json::from_slice::<Recipe>);
                cell = ours.and_then(Result::ok).map(|recipe| recipe.cell).or(cell);
                file.seek_relative(4)?;
            }
            b"IEND" => {
                let end = file.seek(SeekFrom::Current(4))?;
                return Ok(if file.seek(SeekFrom::End(0))? == end { cell } else { None });
            }
            _ => file.seek_relative(i64::from(length) + 4)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_plans::{cell, image};
    use std::io::{Cursor, Write};

    fn bytes(cell: &Cell) -> Vec<u8> {
        encode_cell(&image(cell), cell, &Digest::of(b"weights"), &Remarks::default()).unwrap()
    }

    #[test]
    fn text_that_fits_latin_1_is_a_plain_chunk_as_pillow_writes_it() {
        let kinds = |prompt: &str| {
            let mut cell = cell();
            cell.settings.prompt = prompt.into();
            let bytes = bytes(&cell);
            let info = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap().info().clone();
            (info.uncompressed_latin1_text.len(), info.utf8_text.len())
        };
        assert_eq!(kinds("café"), (1, 1));
        assert_eq!(kinds("猫"), (0, 2));
    }

    #[test]
    fn the_same_cell_gives_the_same_bytes_and_the_same_pixels_back() {
        let cell = cell();
        assert_eq!(bytes(&cell), bytes(&cell));
        assert_eq!(crate::decode::decode_bytes(&bytes(&cell)).unwrap(), image(&cell));
    }

    #[test]
    fn a_sheet_carries_what_it_shows() {
        let bytes = encode_sheet(&image(&cell()), &serde_json::json!({ "run": "葛飾@1" })).unwrap();
        let info = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap().info().clone();
        assert_eq!(info.utf8_text[0].keyword, "maquette");
        assert_eq!(info.utf8_text[0].get_text().unwrap(), r#"{"run":"葛飾@1"}"#);
        let nothing = Image::new(0, 0, vec![]).unwrap();
        let error = encode_sheet(&nothing, &Json::Null).unwrap_err().to_string();
        assert!(error.starts_with("a picture of 0x0 pixels cannot be written as PNG"), "{error}");
    }

    #[test]
    fn a_cut_or_foreign_picture_is_recognised() {
        let cell = cell();
        let whole = bytes(&cell);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        let check = |bytes: &[u8], id: &CellId, expected: bool| {
            File::create(&path).unwrap().write_all(bytes).unwrap();
            assert_eq!(shows(bytes, id), expected, "{} bytes", bytes.len());
            assert_eq!(seems_to_show(&path, id), expected, "{} bytes", bytes.len());
        };
        check(&whole, &cell.id, true);
        check(&whole, &CellId(Digest::of(b"another")), false);
        for cut in [0, 4, 8, 20, whole.len() / 2, whole.len() - 12, whole.len() - 1] {
            check(&whole[..cut], &cell.id, false);
        }
        // A flipped pixel byte: only the thorough check looks that far.
        let mut flipped = whole.clone();
        let at = flipped.len() - 20;
        flipped[at] ^= 1;
        assert!(!shows(&flipped, &cell.id));
    }
}
