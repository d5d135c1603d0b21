//! What a picture says of itself: PNG bytes with two texts, and the way back.
//!
//! `parameters` is for the tools of others (see `parameters.rs`); `maquette` holds every setting as JSON. Nothing in
//! a picture varies from run to run: no time, no absolute path, no host, so the same cell gives the same bytes.

use crate::StoreError;
use crate::parameters::parameters;
use maquette_core::{Cell, CellId, Digest, Image, Remarks, Settings, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// Version of the JSON in the `maquette` text.
const FORMAT: u32 = 1;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The texts in a picture that say what made it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Made {
    /// The `parameters` text that A1111 and its kin write; some tools put JSON of their own there.
    pub parameters: Option<String>,
    /// Our own, when the picture is ours.
    pub recipe: Option<Recipe>,
}

/// Everything that made one picture, as its `maquette` text says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Version of this format.
    #[serde(rename = "maquette")]
    pub format: u32,
    /// The cell's name.
    pub cell: CellId,
    /// Every setting that applies, resolved, in the order of the log's columns.
    pub settings: Map<String, Json>,
    /// What each `{placeholder}` stood for where the picture was first rendered.
    pub vars: Map<String, Json>,
    /// The model's fingerprint.
    pub fingerprint: Digest,
    /// The content of the reference picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init_image_digest: Option<Digest>,
    /// What the engine had to say of it.
    #[serde(skip_serializing_if = "is_silent", default)]
    pub remarks: Remarks,
}

fn is_silent(remarks: &Remarks) -> bool {
    *remarks == Remarks::default()
}

/// Reads the texts of a PNG file, ours or anybody's.
pub fn read_made(path: &Path) -> Result<Made, StoreError> {
    let bytes = std::fs::read(path).map_err(StoreError::io("read", path))?;
    made_of(&bytes)
        .map_err(|problem| StoreError::damaged(path, format!("is no PNG that can be read: {problem}")))
}

/// What the engine had to say of one of our pictures.
pub(crate) fn remarks(path: &Path) -> Result<Remarks, StoreError> {
    Ok(read_made(path)?.recipe.map_or_else(Remarks::default, |recipe| recipe.remarks))
}

/// A contact sheet as the bytes of a PNG file, with what it shows as JSON in a `maquette` text. The same arguments
/// give the same bytes.
pub fn encode_sheet(image: &Image, shows: &Json) -> Result<Vec<u8>, StoreError> {
    encode(image, &[("maquette", &shows.to_string())])
}

/// The picture of a cell, with the two texts that say what made it; the fingerprint is its model's.
pub(crate) fn encode_cell(
    image: &Image,
    cell: &Cell,
    fingerprint: &Digest,
    remarks: &Remarks,
) -> Result<Vec<u8>, StoreError> {
    let recipe = Recipe { remarks: remarks.clone(), ..recipe(cell, fingerprint) };
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
    let ours = made_of(bytes).ok().and_then(|made| made.recipe).is_some_and(|recipe| recipe.cell == *id);
    ours && crate::decode::decode_bytes(bytes).is_ok()
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

fn made_of(bytes: &[u8]) -> Result<Made, png::DecodingError> {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info()?;
    // Texts may stand behind the pixels too.
    reader.finish()?;
    let info = reader.info();
    let find = |keyword: &str| {
        let plain = info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword);
        let packed = info.compressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword);
        let utf8 = info.utf8_text.iter().find(|chunk| chunk.keyword == keyword);
        let text = utf8.map(png::text_metadata::ITXtChunk::get_text);
        let text = text.or_else(|| packed.map(png::text_metadata::ZTXtChunk::get_text));
        plain.map(|chunk| chunk.text.clone()).or_else(|| text.and_then(Result::ok))
    };
    let recipe = find("maquette").and_then(|text| serde_json::from_str(&text).ok());
    Ok(Made { parameters: find("parameters"), recipe })
}

fn recipe(cell: &Cell, fingerprint: &Digest) -> Recipe {
    let vars = cell.vars.iter().map(|(name, value)| (name.to_string(), Json::from(&**value)));
    Recipe {
        format: FORMAT,
        cell: cell.id,
        settings: settings(&cell.settings),
        vars: vars.collect(),
        fingerprint: *fingerprint,
        init_image_digest: cell.settings.init_image.as_ref().map(|picture| picture.digest),
        remarks: Remarks::default(),
    }
}

fn settings(settings: &Settings) -> Map<String, Json> {
    let json = |name: &str, value: Value| match value {
        Value::Flag(flag) => Json::from(flag),
        Value::Integer(n) => Json::from(n),
        Value::Number(x) => Json::from(x),
        Value::Text(text) if matches!(name, "model" | "init_image") => Json::from(without_machine(&text)),
        Value::Text(text) => Json::from(text),
    };
    settings.iter().map(|(setting, value)| (setting.name.to_owned(), json(setting.name, value))).collect()
}

/// A path that only one machine knows is cut to its last part.
fn without_machine(path: &str) -> &str {
    let drive = path.as_bytes().get(1) == Some(&b':');
    if drive || path.starts_with(['/', '\\', '~']) {
        path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_plans::{cell, image, with_init_image};
    use std::io::Write;

    fn bytes(cell: &Cell) -> Vec<u8> {
        encode_cell(&image(cell), cell, &Digest::of(b"weights"), &Remarks::default()).unwrap()
    }

    #[test]
    fn a_picture_says_what_made_it() {
        let mut cell = cell();
        with_init_image(&mut cell.settings, 0.3);
        cell.settings.model = "/home/somebody/models/mine".into();
        let made = made_of(&bytes(&cell)).unwrap();
        assert!(made.parameters.unwrap().contains("Denoising strength: 0.3"));
        let recipe = made.recipe.unwrap();
        assert_eq!(recipe.cell, cell.id);
        let text = serde_json::to_string_pretty(&recipe).unwrap();
        assert!(!text.contains("somebody"), "{text}");
        insta::assert_snapshot!(text, @r#"
        {
          "maquette": 1,
          "cell": "8529bd7594b04050dcd83dd2a1571ab533104bc916fb73f028c7edc104f32773",
          "settings": {
            "model": "mine",
            "prompt": "portrait of a cat",
            "negative_prompt": "",
            "dialect": "plain",
            "init_image": "references/selfie.png",
            "fit": "crop",
            "strength": 0.3,
            "seed": 7,
            "noise": "torch-cpu",
            "steps": 20,
            "guidance_scale": 7.5,
            "scheduler": "ddim",
            "eta": 0.0,
            "spacing": "leading",
            "width": 24,
            "height": 16,
            "clip_skip": 0,
            "dtype": "f32",
            "safety_checker": false
          },
          "vars": {
            "subject": "a cat"
          },
          "fingerprint": "3edc5c4a5df8c79ef4f8dbdc373cd21ca041ccf39fe5693250d004092094dc4a",
          "init_image_digest": "d4d40131a92543561830e02fa2de78e25e0558c3b4c1175d16c6dff33ee615d0"
        }
        "#);
    }

    #[test]
    fn words_of_any_script_survive() {
        for prompt in ["café", "猫 ← 🎨", "two\nlines", "nul\0 byte"] {
            let mut cell = cell();
            cell.settings.prompt = prompt.into();
            let made = made_of(&bytes(&cell)).unwrap();
            let parameters = made.parameters.unwrap();
            assert!(parameters.starts_with(&prompt.replace('\0', " ")), "{parameters}");
            assert_eq!(made.recipe.unwrap().settings["prompt"], Json::from(prompt));
        }
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

    #[test]
    fn texts_of_other_tools_are_read_in_every_kind_of_chunk() {
        let check = |add: fn(&mut png::Encoder<'_, &mut Vec<u8>>)| {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
            encoder.set_color(png::ColorType::Grayscale);
            add(&mut encoder);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&[0]).unwrap();
            writer.finish().unwrap();
            let made = made_of(&bytes).unwrap();
            assert_eq!(made, Made { parameters: Some("a cat\nSteps: 20".to_owned()), recipe: None });
        };
        check(|e| e.add_text_chunk("parameters".into(), "a cat\nSteps: 20".into()).unwrap());
        check(|e| e.add_ztxt_chunk("parameters".into(), "a cat\nSteps: 20".into()).unwrap());
        check(|e| e.add_itxt_chunk("parameters".into(), "a cat\nSteps: 20".into()).unwrap());
    }
}
