//! Whether a file is a whole picture of a cell, and what it says of itself.

use crate::StoreError;
use maquette_core::{CellId, Remarks};
use maquette_interop::{GenerationInfo, Origin, read_generation_info, read_metadata};
use maquette_picture::decode_bytes;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// What the engine had to say of one of our pictures.
pub(crate) fn remarks(path: &Path) -> Result<Remarks, StoreError> {
    Ok(match read_metadata(path)?.origin {
        Some(Origin::Cell(recipe)) => recipe.remarks,
        _ => Remarks::default(),
    })
}

/// Whether those bytes are a whole picture of that cell: decoded in full.
pub(crate) fn shows(bytes: &[u8], id: &CellId) -> bool {
    let ours = read_generation_info(bytes).is_some_and(|recipe| recipe.cell == *id);
    // The decoder forgives a missing end; the last chunk has no content, so these are always its bytes.
    ours && bytes.ends_with(b"IEND\xae\x42\x60\x82") && decode_bytes(Path::new(""), bytes).is_ok()
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
                let ours =
                    data.strip_prefix(b"maquette\0\0\0\0\0").map(serde_json::from_slice::<GenerationInfo>);
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
    use maquette_core::test_plans::{cell, image};
    use maquette_core::{Cell, Digest};
    use maquette_interop::{encode_cell, encode_sheet};
    use std::io::Write;

    fn bytes(cell: &Cell) -> Vec<u8> {
        encode_cell(&image(cell), cell, &Digest::of(b"weights"), &Remarks::default()).unwrap()
    }

    #[test]
    fn the_same_cell_gives_the_same_bytes_and_the_same_pixels_back() {
        let cell = cell();
        assert_eq!(bytes(&cell), bytes(&cell));
        assert_eq!(decode_bytes(Path::new(""), &bytes(&cell)).unwrap(), image(&cell));
    }

    #[test]
    fn a_sheet_carries_what_it_shows() {
        let bytes = encode_sheet(&image(&cell()), &serde_json::json!({ "run": "葛飾@1" })).unwrap();
        let texts = maquette_picture::read_png_texts(&bytes).unwrap();
        assert_eq!(texts.get("maquette"), Some(r#"{"run":"葛飾@1"}"#));
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
