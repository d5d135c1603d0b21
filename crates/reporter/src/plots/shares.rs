//! The shares of the variance as horizontal bars.

use super::PlotError;
use super::style::{FAINT, GRID, INK, MARGIN, PALETTE, SIZE, WIDTH, label, text};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its label.
    pub label: String,
    /// Its length, 0 to 1.
    pub share: f64,
    /// What it is.
    pub kind: BarKind,
}

/// What a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarKind {
    /// An axis.
    Axis,
    /// The interaction of two axes.
    Interaction,
    /// The unexplained rest.
    Rest,
}

/// Height of a row in pixels.
const ROW: i32 = 30;

/// Where the rows begin, below title and subtitle.
const TOP: i32 = 84;

/// Where the bars begin, to the right of their labels.
const LEFT: i32 = 300;

/// Room for the percentages, to the right of the bars.
const RIGHT: i32 = 90;

/// The most characters of a bar's label.
const LABEL: usize = 38;

/// Draws the bars in the given order as an SVG file.
pub fn shares_plot(title: &str, about: &str, bars: &[Bar]) -> Result<String, PlotError> {
    let mut svg = String::new();
    draw(&mut svg, title, about, bars).map_err(|error| PlotError::from(&*error))?;
    Ok(svg)
}

fn draw(svg: &mut String, title: &str, about: &str, bars: &[Bar]) -> Result<(), Box<dyn std::error::Error>> {
    let height = TOP + ROW * bars.len() as i32 + 2 * MARGIN;
    let root = SVGBackend::with_string(svg, (WIDTH, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(label(title, 90), (MARGIN, 32), text(22, &INK, HPos::Left)))?;
    root.draw(&Text::new(label(about, 130), (MARGIN, 60), text(SIZE, &FAINT, HPos::Left)))?;
    let length = f64::from(WIDTH as i32 - LEFT - RIGHT);
    let bottom = TOP + ROW * bars.len() as i32;
    for quarter in 0..=4 {
        let x = LEFT + (length * f64::from(quarter) / 4.0).round() as i32;
        root.draw(&PathElement::new([(x, TOP), (x, bottom)], GRID.stroke_width(1)))?;
        let percent = format!("{} %", 25 * quarter);
        root.draw(&Text::new(percent, (x, bottom + 16), text(14, &FAINT, HPos::Center)))?;
    }
    for (row, bar) in bars.iter().enumerate() {
        let (top, middle) = (TOP + ROW * row as i32, TOP + ROW * row as i32 + ROW / 2);
        let colour = match bar.kind {
            BarKind::Axis => PALETTE[0],
            BarKind::Interaction => PALETTE[4],
            BarKind::Rest => RGBColor(173, 181, 189),
        };
        let end = LEFT + (length * bar.share.clamp(0.0, 1.0)).round() as i32;
        root.draw(&Text::new(label(&bar.label, LABEL), (LEFT - 10, middle), text(SIZE, &INK, HPos::Right)))?;
        if end > LEFT {
            root.draw(&Rectangle::new([(LEFT, top + 5), (end, top + ROW - 5)], colour.filled()))?;
        }
        let percent = format!("{:.1} %", 100.0 * bar.share);
        root.draw(&Text::new(percent, (end + 8, middle), text(SIZE, &INK, HPos::Left)))?;
    }
    root.present()?;
    Ok(())
}
