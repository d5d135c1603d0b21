//! What a picture says of how it was made, whoever made it: ours, A1111's, ComfyUI's, SwarmUI's and InvokeAI's texts.
//!
//! One file per tool turns its text into Maquette's words; none of them may fail on what it reads, and none drops
//! anything. Deliberately not here: looking for the files that a text names, and making an experiment of it.

mod a1111;
mod a1111_text;
mod comfyui;
mod foreign;
mod invokeai;
mod ours;
mod sampling;
mod swarmui;
#[cfg(test)]
mod tests;
mod workflow;

pub use foreign::{Foreign, NotTaken, Tool};
pub use ours::{FileRef, GenerationInfo, encode_cell, encode_sheet};

use maquette_core::CellId;
use maquette_picture::{PictureError, Texts, read_png_texts, read_texts};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::path::Path;

/// What a picture says of how it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metadata {
    /// What it is and what made it; `None` when it does not say.
    #[serde(rename = "made")]
    pub origin: Option<Origin>,
    /// Texts that could not be read, each a sentence without its full stop.
    pub unreadable: Vec<String>,
}

/// What made a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It is a cell that Maquette rendered.
    Cell(Box<GenerationInfo>),
    /// It is a contact sheet of Maquette's.
    Sheet(SheetMap),
    /// Another tool made it.
    Foreign(Foreign),
}

/// What a contact sheet shows, as its `maquette` text says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SheetMap {
    /// Version of this format.
    #[serde(rename = "maquette_sheet")]
    pub format: u32,
    /// The experiment's name.
    pub run: String,
    /// The page's name.
    pub page: String,
    /// Each cell and where its picture lies.
    pub cells: Vec<(CellId, Place)>,
}

/// Where a picture lies on a sheet, in pixels from its top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// Reads what a picture says: PNG, JPEG or WebP, told by its content.
///
/// Our own text counts first. The error is that of a file which is no picture at all; a text that cannot be read is
/// named in [`Metadata::unreadable`].
pub fn read_metadata(path: &Path) -> Result<Metadata, PictureError> {
    let read = |source| PictureError::Read { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(read)?;
    read_texts(path, &bytes).map(|texts| understood(&texts))
}

/// What made the cell in the bytes of a PNG file of ours; `None` for any other bytes.
pub fn read_generation_info(bytes: &[u8]) -> Option<GenerationInfo> {
    match understood(&read_png_texts(bytes)?).origin {
        Some(Origin::Cell(info)) => Some(*info),
        _ => None,
    }
}

/// Finds out whose texts these are.
fn understood(texts: &Texts) -> Metadata {
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
    read(text).map_err(|error| unreadable.push(format!("the text `maquette` is none of ours: {error}"))).ok()
}

/// The keyword that A1111 shares with SwarmUI and others.
fn parameters(texts: &Texts, unreadable: &mut Vec<String>) -> Option<Foreign> {
    let text = texts.get("parameters")?;
    if !text.trim_start().starts_with('{') {
        return Some(a1111::read(text));
    }
    match serde_json::from_str::<Json>(text) {
        Ok(json) => swarmui::read(&json).or_else(|| {
            unreadable.push("the text `parameters` is JSON of a tool that Maquette does not know".to_owned());
            None
        }),
        // A prompt may begin with a brace.
        Err(_) if !text.contains("sui_image_params") => Some(a1111::read(text)),
        Err(error) => {
            unreadable.push(format!("the text `parameters` is broken JSON: {error}"));
            None
        }
    }
}

/// Reads one keyword's text; `None` when it is not what it should be.
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
                None => unreadable.push(format!("the text `{keyword}` is JSON of another kind")),
            },
            Err(error) => unreadable.push(format!("the text `{keyword}` is broken JSON: {error}")),
        }
    }
    let dream = texts.get("Dream")?;
    let found = invokeai::read_dream(dream);
    if found.is_none() {
        unreadable.push("the text `Dream` does not begin with a prompt in quotes".to_owned());
    }
    found
}
