//! Checks that a file is a complete picture of a cell with the rendered pixels, and reads its metadata.

use crate::LogRow;
use maquette_core::{CellId, Digest, Image, Remarks};
use maquette_files::limits;
use maquette_interop::{GenerationInfo, read_generation_info};
use maquette_picture::decode_bytes;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// A picture that does not match the log or its own metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureProblem {
    /// The cell whose picture it should be.
    pub cell: CellId,
    /// The file.
    pub path: PathBuf,
    /// What is wrong, as the rest of a sentence about the file.
    pub problem: String,
}

impl fmt::Display for PictureProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path.display(), self.problem)
    }
}

/// The problem with the pixels of a cell's picture, as the rest of a sentence about it; `None` if there is none, or if
/// neither its row nor its metadata has a digest, as in older runs.
pub fn check_pixels(image: &Image, info: &GenerationInfo, row: &LogRow) -> Option<&'static str> {
    edited(&image.digest(), [row.pixels(), info.pixels])
}

fn edited(pixels: &Digest, rendered: [Option<Digest>; 2]) -> Option<&'static str> {
    let differs = rendered.iter().flatten().any(|rendered| rendered != pixels);
    differs.then_some("was edited: its pixels differ from the rendered ones")
}

/// A complete picture of a cell, fully decoded.
#[derive(Debug)]
pub(crate) struct Whole {
    pub remarks: Remarks,
    pub pixels: Digest,
}

/// Decodes a picture and compares it with its metadata and with the digest in the log.
///
/// `None` if the file does not exist. The error is the problem, as the rest of a sentence about the file.
pub(crate) fn check(path: &Path, id: &CellId, logged: Option<Digest>) -> Result<Option<Whole>, String> {
    let bytes = match maquette_files::read(path, limits::PICTURE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| format!("cannot be read: {error}"))?,
    };
    let image = decode_bytes(path, &bytes).map_err(|_| DAMAGED)?;
    if !has_whole_chunks(&bytes) {
        return Err(DAMAGED.to_owned());
    }
    let info = read_generation_info(&bytes).ok_or(NAMELESS)?;
    if info.cell != *id {
        return Err(format!("is the picture of the cell {}", info.cell.short()));
    }
    let pixels = image.digest();
    match edited(&pixels, [logged, info.pixels]) {
        Some(problem) => Err(problem.to_owned()),
        None => Ok(Some(Whole { remarks: info.remarks, pixels })),
    }
}

const DAMAGED: &str = "is damaged";
const NAMELESS: &str = "has no metadata that names its cell";

/// Whether every chunk of a PNG file has its checksum, and the file ends with the last one. Decoders accept a missing end, and
/// damage in chunks that they skip.
fn has_whole_chunks(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(&SIGNATURE) else { return false };
    loop {
        let Some((length, after)) = rest.split_first_chunk() else { return false };
        let length = u32::from_be_bytes(*length) as usize;
        // The checksum covers the kind and the content.
        let Some((chunk, after)) = after.split_at_checked(length.saturating_add(4)) else { return false };
        let Some((sum, after)) = after.split_first_chunk() else { return false };
        if crc32fast::hash(chunk) != u32::from_be_bytes(*sum) {
            return false;
        }
        if chunk.starts_with(b"IEND") {
            return after.is_empty();
        }
        rest = after;
    }
}

/// The cell that the metadata of a complete PNG file names.
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
                let mut data = Vec::new();
                if (&mut file).take(u64::from(length)).read_to_end(&mut data)? < length as usize {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                // The keyword, then five bytes of flags and empty names, as `encode` writes them.
                let info =
                    data.strip_prefix(b"maquette\0\0\0\0\0").map(serde_json::from_slice::<GenerationInfo>);
                cell = info.and_then(Result::ok).map(|info| info.cell).or(cell);
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
    use maquette_core::Cell;
    use maquette_core::test_plans::{cell, image};
    use maquette_interop::{FileHashes, encode_cell, encode_sheet};
    use std::io::Write;

    fn bytes(cell: &Cell) -> Vec<u8> {
        encode_cell(&image(cell), cell, &Digest::of(b"weights"), &FileHashes::default(), &Remarks::default())
            .unwrap()
    }

    #[test]
    fn the_same_cell_gives_the_same_bytes_and_the_same_pixels_back() {
        let cell = cell();
        assert_eq!(bytes(&cell), bytes(&cell));
        assert_eq!(decode_bytes(Path::new(""), &bytes(&cell)).unwrap(), image(&cell));
    }

    #[test]
    fn a_sheet_carries_what_it_shows() {
        let bytes = encode_sheet(&image(&cell()), r#"{"run":"葛飾@1"}"#).unwrap();
        let texts = maquette_picture::read_png_texts(&bytes).unwrap();
        assert_eq!(texts.get("maquette"), Some(r#"{"run":"葛飾@1"}"#));
    }

    #[test]
    fn a_truncated_or_foreign_picture_is_recognised() {
        let cell = cell();
        let whole = bytes(&cell);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        let checked = |bytes: &[u8], id: &CellId| {
            File::create(&path).unwrap().write_all(bytes).unwrap();
            check(&path, id, None).map(|whole| whole.is_some())
        };
        assert_eq!(checked(&whole, &cell.id), Ok(true));
        let another = CellId(Digest::of(b"another"));
        let problem = format!("is the picture of the cell {}", cell.id.short());
        assert_eq!(checked(&whole, &another), Err(problem));
        for cut in [0, 4, 8, 20, whole.len() / 2, whole.len() - 12, whole.len() - 1] {
            assert_eq!(checked(&whole[..cut], &cell.id), Err(DAMAGED.to_owned()), "{cut} bytes");
        }
        let mut flipped = whole.clone();
        let at = flipped.len() - 20;
        flipped[at] ^= 1;
        assert_eq!(checked(&flipped, &cell.id), Err(DAMAGED.to_owned()));
        std::fs::remove_file(&path).unwrap();
        assert!(check(&path, &cell.id, None).unwrap().is_none());
    }

    #[test]
    fn an_edited_picture_is_recognised_by_its_own_digest_or_by_the_log() {
        let cell = cell();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        let check = |pixels: &Image, own: Option<Digest>, logged: Option<Digest>| {
            let info = GenerationInfo { pixels: own, ..GenerationInfo::of(&cell, &Digest::of(b"weights")) };
            let text = serde_json::to_string(&info).unwrap();
            std::fs::write(&path, maquette_picture::encode_png(pixels, &[("maquette", &text)]).unwrap())
                .unwrap();
            check(&path, &cell.id, logged).map(|whole| whole.unwrap().pixels)
        };
        let rendered = image(&cell);
        let mut rgb = rendered.rgb().to_vec();
        rgb[100] ^= 1;
        let painted = Image::new(rendered.width(), rendered.height(), rgb).unwrap();
        let digest = rendered.digest();
        for (own, logged) in
            [(None, None), (Some(digest), None), (None, Some(digest)), (Some(digest), Some(digest))]
        {
            assert_eq!(check(&rendered, own, logged), Ok(digest));
            let edited = check(&painted, own, logged);
            // Without a digest in the metadata or the log, as in older runs, an edit is not recognised.
            assert_eq!(edited.is_err(), own.or(logged).is_some(), "{edited:?}");
        }
        // If the digest in the metadata was edited too, the log's digest differs.
        assert!(check(&painted, Some(painted.digest()), Some(digest)).unwrap_err().starts_with("was edited"));
    }
}
