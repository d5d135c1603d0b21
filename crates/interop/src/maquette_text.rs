//! Maquette's own text: every setting of a cell as JSON, and what is needed to render the same cell again.
//!
//! It does not vary from run to run: it contains no time, absolute path or host name.

use crate::a1111_text::parameters;
use crate::file_hashes::FileHashes;
use crate::xmp::{self, SourceType};
use maquette_core::{
    Cell, CellId, Digest, Image, Kind, NUMERICS, NamedFile, Remarks, Setting, Settings, Value, WeightRef,
};
use maquette_picture::{PictureError, encode_png, encode_png_fast};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Version of the JSON.
pub(crate) const FORMAT: u32 = 1;

/// Everything that determines one picture, from its `maquette` text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerationInfo {
    /// Version of this format.
    #[serde(rename = "maquette")]
    pub format: u32,
    /// The cell's name.
    pub cell: CellId,
    /// Every setting that applies, resolved, in the order of the log's columns.
    pub settings: Map<String, Json>,
    /// The value of each `{placeholder}` in the run that first rendered the picture.
    pub vars: Map<String, Json>,
    /// The model's fingerprint.
    pub fingerprint: Digest,
    /// The files that settings name, by setting, in the order in which they are named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub files: BTreeMap<String, Vec<FileRef>>,
    /// The engine's remarks.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub remarks: Remarks,
    /// The version of Maquette that rendered it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// The version of the engine's arithmetic, see [`NUMERICS`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub numerics: Option<u32>,
    /// The digest of the rendered pixels, see [`Image::digest`]. Older versions did not write it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pixels: Option<Digest>,
}

fn is_empty(remarks: &Remarks) -> bool {
    *remarks == Remarks::default()
}

/// A file that a setting names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// The path as written; only the last part of an absolute path.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
}

/// Encodes the image of a cell as a PNG file, with texts that describe how it was made: `parameters` for other tools,
/// `maquette` with every setting as JSON, and an XMP packet that marks it as made by a model. `fingerprint` is that of its
/// model; `hashes` are those by which other tools know its files.
///
/// The file contains no time, absolute path or host name, so the same cell gives the same bytes.
pub fn encode_cell(
    image: &Image,
    cell: &Cell,
    fingerprint: &Digest,
    hashes: &FileHashes,
    remarks: &Remarks,
) -> Result<Vec<u8>, PictureError> {
    let info = GenerationInfo {
        remarks: remarks.clone(),
        pixels: Some(image.digest()),
        ..GenerationInfo::of(cell, fingerprint)
    };
    let info = serde_json::json!(info).to_string();
    let source =
        if cell.settings.init_image.is_some() { SourceType::ModelAndPicture } else { SourceType::Model };
    let parameters = parameters(cell, fingerprint, hashes);
    encode_png(
        image,
        &[("parameters", &parameters), ("maquette", &info), (xmp::KEYWORD, &xmp::packet(source))],
    )
}

/// Encodes a contact sheet as a PNG file, with its content, JSON, in a `maquette` text and the XMP packet of its pictures.
/// The same arguments give the same bytes.
pub fn encode_sheet(image: &Image, shows: &str) -> Result<Vec<u8>, PictureError> {
    encode_png_fast(image, &[("maquette", shows), (xmp::KEYWORD, &xmp::packet(SourceType::Model))])
}

impl GenerationInfo {
    /// The information about a cell; `fingerprint` is that of its model.
    pub fn of(cell: &Cell, fingerprint: &Digest) -> GenerationInfo {
        let vars = cell.vars.iter().map(|(name, value)| (name.to_string(), Json::from(&**value)));
        GenerationInfo {
            format: FORMAT,
            cell: cell.id,
            settings: settings(&cell.settings),
            vars: vars.collect(),
            fingerprint: *fingerprint,
            files: files(&cell.settings),
            remarks: Remarks::default(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            numerics: Some(NUMERICS),
            pixels: None,
        }
    }

    /// The files that a setting names.
    pub fn files(&self, setting: &str) -> impl Iterator<Item = &FileRef> {
        self.files.get(setting).into_iter().flatten()
    }

    /// The settings with their values; entries that are not valid values are left out.
    pub fn values(&self) -> Vec<(String, Value)> {
        let value = |json: &Json| serde_json::from_value::<Value>(json.clone()).ok();
        self.settings.iter().filter_map(|(name, json)| Some((name.clone(), value(json)?))).collect()
    }
}

fn settings(settings: &Settings) -> Map<String, Json> {
    let json = |setting: &Setting, value: Value| match (setting.kind, value) {
        (Kind::Path | Kind::Model, Value::Text(path)) => Json::from(portable(&path)),
        (_, Value::Weights(list)) => Json::from(portable_list(list)),
        (_, value) => serde_json::json!(value),
    };
    settings.iter().map(|(setting, value)| (setting.name.to_owned(), json(setting, value))).collect()
}

/// Every file that a setting names.
fn files(settings: &Settings) -> BTreeMap<String, Vec<FileRef>> {
    let file = |file: &NamedFile| FileRef { path: portable(&file.path).to_owned(), digest: file.digest };
    let one = |named: &Option<NamedFile>| named.iter().map(file).collect::<Vec<_>>();
    let all = [
        ("vae", one(&settings.vae)),
        ("lora", settings.lora.iter().map(|lora| file(&lora.file)).collect()),
        ("embeddings", settings.embeddings.iter().map(|embedding| file(&embedding.file)).collect()),
        ("init_image", one(&settings.init_image)),
        ("mask", one(&settings.mask)),
        ("controlnet", one(&settings.controlnet)),
        ("control_image", one(&settings.control_image)),
        ("ip_adapter", one(&settings.ip_adapter)),
        ("ip_adapter_image", one(&settings.ip_adapter_image)),
        ("ip_adapter_image_encoder", one(&settings.ip_adapter_image_encoder)),
    ];
    all.into_iter()
        .filter(|(_, files)| !files.is_empty())
        .map(|(name, files)| (name.to_owned(), files))
        .collect()
}

/// The text of a list of weight files, without the folders of absolute paths.
fn portable_list(list: Vec<WeightRef>) -> String {
    let entry = |entry: WeightRef| WeightRef { name: portable(&entry.name).to_owned(), ..entry };
    Value::Weights(list.into_iter().map(entry).collect()).to_string()
}

/// The last part of an absolute path, which is specific to one machine; relative paths are unchanged.
pub fn portable(path: &str) -> &str {
    let drive = path.as_bytes().get(1) == Some(&b':');
    if drive || path.starts_with(['/', '\\', '~']) {
        path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
    } else {
        path
    }
}
