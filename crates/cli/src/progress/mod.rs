//! The progress of a run: bars on a terminal, plain lines elsewhere, JSON for machines.

mod bars;
mod display;
mod download;
mod json;
mod plain;
mod style;
mod training;

pub use display::Display;
pub use download::Download;

use crate::args;
use maquette::{RunProgress, TrainingProgress};
use std::io::IsTerminal;
use training::TrainingBar;

/// The requested display.
pub fn display(how: args::Progress, quiet: bool) -> Box<dyn Display> {
    match how {
        args::Progress::Json => Box::new(json::Json),
        args::Progress::None => Box::new(Nothing),
        _ if quiet => Box::new(Nothing),
        args::Progress::Auto if std::io::stderr().is_terminal() => Box::new(bars::Bars::new()),
        args::Progress::Auto | args::Progress::Plain => Box::new(plain::Plain::new()),
    }
}

/// The requested display of a training without cells.
pub fn training_display(how: args::Progress, quiet: bool) -> Box<dyn Display> {
    match how {
        _ if quiet && how != args::Progress::Json => Box::new(Nothing),
        args::Progress::Auto if std::io::stderr().is_terminal() => Box::new(TrainingBar::new()),
        how => display(how, quiet),
    }
}

struct Nothing;

impl Display for Nothing {
    fn show(&mut self, _: &RunProgress) {}

    fn train(&mut self, _: &TrainingProgress<'_>) {}
}
