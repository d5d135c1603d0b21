//! What shows how a run goes on.

use maquette::RunProgress;

/// Shows what happens. All of it goes to standard error; standard output is for results.
pub trait Display {
    /// Something happened.
    fn show(&mut self, progress: &RunProgress);

    /// Nothing more will happen.
    fn close(&mut self) {}
}
