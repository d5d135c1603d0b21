//! Colours, sizes and texts of the plots.

use plotters::prelude::{IntoFont, RGBColor, TextStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width of every plot in pixels.
pub(super) const WIDTH: u32 = 960;

/// Distance of everything from the edge in pixels.
pub(super) const MARGIN: i32 = 24;

/// Size of labels in pixels.
pub(super) const SIZE: i32 = 16;

/// Dark text.
pub(super) const INK: RGBColor = RGBColor(33, 37, 41);

/// Secondary text.
pub(super) const FAINT: RGBColor = RGBColor(95, 102, 110);

/// Lines of the grid.
pub(super) const GRID: RGBColor = RGBColor(226, 229, 233);

/// The palette of Okabe and Ito without yellow, which is too light for lines on white: told apart by people with any
/// colour vision.
pub(super) const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// A style of text; `anchor` says which point of the text its position is.
pub(super) fn text(size: i32, colour: &RGBColor, anchor: HPos) -> TextStyle<'_> {
    let position = Pos::new(anchor, VPos::Center);
    TextStyle::from(("sans-serif", size).into_font()).color(colour).pos(position)
}

/// A label of at most that many characters, without control characters.
pub(super) fn label(text: &str, most: usize) -> String {
    let clean = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    match text.chars().count() > most {
        true => text.chars().take(most.saturating_sub(1)).map(clean).chain(['…']).collect(),
        false => text.chars().map(clean).collect(),
    }
}

/// A number on an axis, without the rounding errors of binary fractions.
pub(super) fn number(number: f64) -> String {
    let rounded: f64 = format!("{number:.4e}").parse().unwrap_or(number);
    // No negative zero.
    format!("{}", rounded + 0.0)
}
