//! What a picture's metadata says: the cell, the sheet or the other tool that it comes from.

use crate::foreign::Foreign;
use crate::maquette_text::GenerationInfo;
use crate::sheet_map::SheetMap;
use serde::Serialize;

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
