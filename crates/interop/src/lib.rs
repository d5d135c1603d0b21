//! The texts in pictures that describe how they were made: Maquette's own, A1111's, ComfyUI's,
//! SwarmUI's, InvokeAI's, Fooocus's and NovelAI's.
//!
//! One file per tool converts its text to Maquette's settings. It must accept any input, and must not drop anything.
//! Deliberately not here: looking up the files that a text names, and writing an experiment.

#![forbid(unsafe_code)]

mod a1111;
mod a1111_line;
mod a1111_text;
mod civitai;
mod comfyui;
mod file_hashes;
mod fooocus;
mod foreign;
mod identify;
mod invokeai;
mod json;
mod maquette_text;
mod novelai;
mod origin;
mod sampling;
mod sheet_map;
mod swarmui;
#[cfg(test)]
mod tests;
mod xmp;

pub use file_hashes::{FileHashes, Sha256};
pub use foreign::{Foreign, NotTaken, Tool};
pub use maquette_text::{FileRef, GenerationInfo, encode_cell, encode_sheet, portable};
pub use origin::{Metadata, Origin};
pub use sheet_map::{NoSuchPlace, Place, Recipes, SheetMap};

use identify::{hidden_texts, identify};
use maquette_picture::{PictureError, read_hidden_text, read_png_texts, read_texts};
use std::path::Path;

/// Reads the texts of a PNG, JPEG or WebP picture. The format is detected from the content.
///
/// Maquette's own text takes precedence. Without any text, the pixels are searched for a hidden one.
///
/// # Errors
///
/// If the file cannot be read or is not a picture. Texts that cannot be read are listed in [`Metadata::unreadable`].
pub fn read_metadata(path: &Path) -> Result<Metadata, PictureError> {
    let read = |source| PictureError::Read { path: path.to_owned(), source };
    let bytes = maquette_files::read(path, maquette_files::limits::PICTURE).map_err(read)?;
    let texts = read_texts(path, &bytes)?;
    let mut metadata = identify(&texts);
    if metadata.origin.is_none() {
        match read_hidden_text(&bytes) {
            Some(Ok(text)) => {
                let hidden = identify(&hidden_texts(text));
                metadata.origin = hidden.origin;
                metadata.unreadable.extend(hidden.unreadable);
            }
            Some(Err(problem)) => metadata.unreadable.push(problem),
            None => {}
        }
    }
    Ok(metadata)
}

/// The information in the bytes of a cell's PNG file; `None` for any other bytes.
pub fn read_generation_info(bytes: &[u8]) -> Option<GenerationInfo> {
    match identify(&read_png_texts(bytes)?).origin {
        Some(Origin::Cell(info)) => Some(*info),
        _ => None,
    }
}
