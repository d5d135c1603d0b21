//! Plots as SVG files: shares of the variance, and curves along an axis.
//!
//! Labels are data: markup in them is escaped, and control characters, which SVG does not allow, are replaced.

mod curves;
mod shares;
mod style;

pub use curves::{CurvesPlot, PlotLine, PlotPoint, curves_plot};
pub use shares::{Bar, BarKind, shares_plot};

/// A plot that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot cannot be drawn: {0}")]
pub struct PlotError(String);

impl PlotError {
    fn from(error: &dyn std::error::Error) -> PlotError {
        PlotError(error.to_string())
    }
}
