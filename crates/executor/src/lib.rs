//! The loop: what is still to do, run it, record it, stop cleanly.
//!
//! Knows the engine only as a [`maquette_core::Backend`] and the runs folder only through `maquette-store`. A failed
//! cell is a row of the log and the run goes on; a record that cannot be written ends it. Deliberately not here:
//! signals, progress bars, clocks. Seconds come with the backend's events.

mod error;
mod execute;
#[cfg(test)]
mod execute_tests;
mod fake;
mod progress;
mod recorder;
#[cfg(test)]
mod resume_tests;
mod stop;
mod todo;
mod write_queue;

pub use error::ExecuteError;
pub use execute::execute;
pub use fake::FakeBackend;
pub use progress::{Failure, RunProgress, Summary};
pub use stop::Stop;
