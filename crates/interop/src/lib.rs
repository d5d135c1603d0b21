//! The texts in pictures that describe how they were made: Maquette's own, A1111's, ComfyUI's, SwarmUI's and InvokeAI's.
//!
//! One file per tool converts its text to Maquette's settings. It must accept any input, and must not drop anything.
//! Deliberately not here: looking up the files that a text names, and writing an experiment.

mod a1111;
mod a1111_text;
mod comfyui;
mod foreign;
mod invokeai;
mod maquette_text;
mod sampling;
mod swarmui;
#[cfg(test)]
mod tests;
mod workflow;

pub use foreign::{Foreign, NotTaken, Tool};
pub use maquette_text::{FileRef, GenerationInfo, encode_cell, encode_sheet};

use maquette_core::CellId;
use maquette_picture::{PictureError, Texts, read_png_texts, read_texts};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::path::Path;

/// The information in a picture about how it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metadata {
    /// Its origin; `None` if it contains no such information.
    #[serde(rename = "made")]
    pub origin: Option<Origin>,
    /// Texts that could not be read, each a sentence without its full stop.
    pub unreadable: Vec<String>,
}

/// The origin of a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A cell that Maquette rendered.
    Cell(Box<GenerationInfo>),
    /// A contact sheet from Maquette.
    Sheet(SheetMap),
    /// A picture from another tool.
    Foreign(Foreign),
}

/// The content of a contact sheet, from its `maquette` text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SheetMap {
    /// Version of this format.
    #[serde(rename = "maquette_sheet")]
    pub format: u32,
    /// The experiment's name.
    pub run: String,
    /// The page's name.
    pub page: String,
    /// Each cell and the place of its picture.
    pub cells: Vec<(CellId, Place)>,
}

/// The place of a picture on a sheet, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Distance from the left edge.
    pub x: u32,
    /// Distance from the top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// Reads the texts of a PNG, JPEG or WebP picture. The format is detected from the content.
///
/// Maquette's own text takes precedence.
///
/// # Errors
///
/// If the file cannot be read or is not a picture. Texts that cannot be read are listed in [`Metadata::unreadable`].
pub fn read_metadata(path: &Path) -> Result<Metadata, PictureError> {
    let read = |source| PictureError::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(read)?;
    read_texts(path, &bytes).map(|texts| identify(&texts))
}

/// The information in the bytes of a cell's PNG file; `None` for any other bytes.
pub fn read_generation_info(bytes: &[u8]) -> Option<GenerationInfo> {
    match identify(&read_png_texts(bytes)?).origin {
        Some(Origin::Cell(info)) => Some(*info),
        _ => None,
    }
}

/// Finds the tool that wrote the texts, and reads them.
fn identify(texts: &Texts) -> Metadata {
    let mut unreadable = texts.unreadable.clone();
    let origin = maquette(texts, &mut unreadable)
        .or_else(|| parameters(texts, &mut unreadable).map(Origin::Foreign))
        .or_else(|| others(texts, &mut unreadable).map(Origin::Foreign));
    Metadata { origin, unreadable }
}

fn maquette(texts: &Texts, unreadable: &mut Vec<String>) -> Option<Origin> {
    let text = texts.get("maquette")?;
    let read = |text: &str| -> Result<Origin, serde_json::Error> {
        match serde_json::from_str(text).map(Origin::Cell) {
            Err(error) => serde_json::from_str(text).map(Origin::Sheet).map_err(|_| error),
            cell => cell,
        }
    };
    read(text)
        .map_err(|error| unreadable.push(format!("the text `maquette` is not in Maquette's format: {error}")))
        .ok()
}

/// Reads `parameters`, a keyword that A1111 shares with SwarmUI and others.
fn parameters(texts: &Texts, unreadable: &mut Vec<String>) -> Option<Foreign> {
    let text = texts.get("parameters")?;
    if !text.trim_start().starts_with('{') {
        return Some(a1111::read(text));
    }
    match serde_json::from_str::<Json>(text) {
        Ok(json) => swarmui::read(&json).or_else(|| {
            unreadable.push("the text `parameters` is JSON of an unknown tool".to_owned());
            None
        }),
        // A prompt may begin with a brace.
        Err(_) if !text.contains("sui_image_params") => Some(a1111::read(text)),
        Err(error) => {
            unreadable.push(format!("the text `parameters` is invalid JSON: {error}"));
            None
        }
    }
}

/// Reads the text of one keyword; `None` if it is not in the expected format.
type Reader = fn(&Json) -> Option<Foreign>;

fn others(texts: &Texts, unreadable: &mut Vec<String>) -> Option<Foreign> {
    let readers: [(&str, Reader); 4] = [
        ("prompt", comfyui::read),
        ("workflow", |json| comfyui::read(&workflow::as_prompt(json)?)),
        ("invokeai_metadata", invokeai::read),
        ("sd-metadata", invokeai::read_old),
    ];
    for (keyword, reader) in readers {
        let Some(text) = texts.get(keyword) else { continue };
        match serde_json::from_str::<Json>(text) {
            Ok(json) => match reader(&json) {
                Some(found) => return Some(found),
                None => unreadable.push(format!("the text `{keyword}` is JSON of an unknown format")),
            },
            Err(error) => unreadable.push(format!("the text `{keyword}` is invalid JSON: {error}")),
        }
    }
    let dream = texts.get("Dream")?;
    let found = invokeai::read_dream(dream);
    if found.is_none() {
        unreadable.push("the text `Dream` does not begin with a prompt in quotes".to_owned());
    }
    found
}
