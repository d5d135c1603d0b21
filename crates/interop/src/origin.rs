//! What a picture's metadata says: the cell, the sheet or the other tool that it comes from.

use crate::foreign::Foreign;
use crate::maquette_text::GenerationInfo;
use maquette_core::CellId;
use serde::{Deserialize, Serialize};

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
