//! From records to bytes: contact sheets, what did not vary, and the difference between two runs.
//!
//! Deliberately not here: files and clocks. Pictures come from a function that the caller gives, and pages go back as
//! pictures. Nothing is read from the machine, not even its fonts: the same plan and pictures are the same sheet anywhere.

// In reading order.
mod axes;
mod constants;
mod pages;

mod diff;

mod cut;
mod frame;
mod layout;

mod canvas;
mod draw;
mod fonts;
mod style;
mod text;
mod thumbnails;

pub use axes::SheetError;
pub use canvas::Area;
pub use constants::constants;
pub use diff::{
    CellAt, Change, Counts, Diff, DiffPage, Likeness, Pair, Pixels, Side, diff, diff_pages, render_diff,
};
pub use draw::{Tile, render};
pub use pages::{PageSpec, PlacedCell, pages};

#[cfg(test)]
mod tests;
