//! Renders contact sheets, lists the settings that did not vary, and compares two runs.
//!
//! Deliberately not here: files and clocks. Pictures come from a callback, and pages are returned as pictures. Nothing is
//! read from the machine, not even its fonts: the same plan and pictures give the same sheet everywhere.

// In reading order.
mod axes;
mod constants;
mod pages;

mod animation;

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

pub use animation::{Animation, AnimationError, animations, same_size};
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
