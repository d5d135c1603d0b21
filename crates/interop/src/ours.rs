//! Our own text: every setting of a cell as JSON, and what it takes to make the same cell again.
//!
//! Nothing in it varies from run to run: no time, no absolute path, no host.

use crate::a1111_text::parameters;
use maquette_core::{
    Cell, CellId, Digest, Image, Kind, NUMERICS, NamedFile, Remarks, Setting, Settings, Value, WeightRef,
};
use maquette_picture::{PictureError, encode_png};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Version of the JSON.
const FORMAT: u32 = 1;

/// Everything that made one picture, as its `maquette` text says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerationInfo {
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
    /// The files that settings name, by setting, in the order of their names there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub files: BTreeMap<String, Vec<FileRef>>,
    /// What the engine had to say of it.
    #[serde(skip_serializing_if = "is_silent", default)]
    pub remarks: Remarks,
    /// The version of Maquette that rendered it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// The version of its arithmetic, [`NUMERICS`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub numerics: Option<u32>,
    /// The digest of the pixels that were rendered, [`Image::digest`]. Versions before it leave it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pixels: Option<Digest>,
}

fn is_silent(remarks: &Remarks) -> bool {
    *remarks == Remarks::default()
}

/// A file that a setting names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// As written, without what only one machine knows.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
}

/// The image of a cell as the bytes of a PNG file, with the two texts that say what made it: `parameters` for the tools of
/// others, `maquette` with every setting as JSON. The fingerprint is its model's.
///
/// Nothing in it varies from run to run: no time, no absolute path, no host, so the same cell gives the same bytes.
pub fn encode_cell(
    image: &Image,
    cell: &Cell,
    fingerprint: &Digest,
    remarks: &Remarks,
) -> Result<Vec<u8>, PictureError> {
    let info = GenerationInfo {
        remarks: remarks.clone(),
        pixels: Some(image.digest()),
        ..GenerationInfo::of(cell, fingerprint)
    };
    let info = serde_json::json!(info).to_string();
    encode_png(image, &[("parameters", &parameters(cell, fingerprint)), ("maquette", &info)])
}

/// A contact sheet as the bytes of a PNG file, with what it shows as JSON in a `maquette` text. The same arguments
/// give the same bytes.
pub fn encode_sheet(image: &Image, shows: &Json) -> Result<Vec<u8>, PictureError> {
    encode_png(image, &[("maquette", &shows.to_string())])
}

impl GenerationInfo {
    /// What made the picture of a cell; the fingerprint is its model's.
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

    /// The settings with their values; what is no value of a setting is left out.
    pub fn values(&self) -> Vec<(String, Value)> {
        let value = |json: &Json| serde_json::from_value::<Value>(json.clone()).ok();
        self.settings.iter().filter_map(|(name, json)| Some((name.clone(), value(json)?))).collect()
    }
}

fn settings(settings: &Settings) -> Map<String, Json> {
    let json = |setting: &Setting, value: Value| match (setting.kind, value) {
        (Kind::Path | Kind::Model, Value::Text(path)) => Json::from(without_machine(&path)),
        (_, Value::Weights(list)) => Json::from(list_without_machine(list)),
        (_, value) => serde_json::json!(value),
    };
    settings.iter().map(|(setting, value)| (setting.name.to_owned(), json(setting, value))).collect()
}

/// Every file that a setting names.
fn files(settings: &Settings) -> BTreeMap<String, Vec<FileRef>> {
    let file =
        |file: &NamedFile| FileRef { path: without_machine(&file.path).to_owned(), digest: file.digest };
    let one = |named: &Option<NamedFile>| named.iter().map(file).collect::<Vec<_>>();
    let all = [
        ("vae", one(&settings.vae)),
        ("lora", settings.lora.iter().map(|lora| file(&lora.file)).collect()),
        ("embeddings", settings.embeddings.iter().map(|embedding| file(&embedding.file)).collect()),
        ("init_image", one(&settings.init_image)),
        ("mask", one(&settings.mask)),
    ];
    all.into_iter()
        .filter(|(_, files)| !files.is_empty())
        .map(|(name, files)| (name.to_owned(), files))
        .collect()
}

/// The text of a list, each file of it without what only one machine knows.
fn list_without_machine(list: Vec<WeightRef>) -> String {
    let entry = |entry: WeightRef| WeightRef { name: without_machine(&entry.name).to_owned(), ..entry };
    Value::Weights(list.into_iter().map(entry).collect()).to_string()
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
