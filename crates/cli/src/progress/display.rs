//! The trait of everything that shows the progress of a run.

use maquette::{RunProgress, TrainingProgress};

/// Shows the progress of a run. All of it goes to standard error; standard output is for results.
pub trait Display {
    /// Shows one event.
    fn show(&mut self, progress: &RunProgress);

    /// Shows the progress of a training.
    fn train(&mut self, progress: &TrainingProgress<'_>);

    /// Ends the display: no events follow.
    fn close(&mut self) {}
}
