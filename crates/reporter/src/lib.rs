//! Renders contact sheets, lists the settings that did not vary, compares two runs, draws plots, and makes the data of
//! pages for a browser.
//!
//! Deliberately not here: files and clocks. Pictures come from a callback, and pages are returned as pictures. Nothing is
//! read from the machine, not even its fonts: the same plan and pictures give the same sheet everywhere.

#![forbid(unsafe_code)]

// In reading order.
mod axes;
mod constants;
mod pages;

mod animation;

mod diff;

pub mod page;
mod plots;

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
    AlongError, CellAt, Change, Counts, Diff, DiffPage, Likeness, Pair, Pixels, Side, diff, diff_along,
    diff_pages, render_diff,
};
pub use draw::{Tile, render};
pub use pages::{PageSpec, PlacedCell, pages};
pub use plots::{Bar, BarKind, CurvesPlot, PlotError, PlotLine, PlotPoint, curves_plot, shares_plot};

#[cfg(test)]
mod tests;
