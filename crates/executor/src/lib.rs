//! The loop: find what is left to do, render it, record it, stop cleanly.
//!
//! Uses the engine only as a [`maquette_core::Backend`] and the runs folder only through `maquette-store`. A failed cell
//! is a row of the log and the run continues; a record that cannot be written ends it. Not here: signals, progress bars,
//! clocks. Seconds come with the backend's events.

#![forbid(unsafe_code)]

mod devices;
#[cfg(test)]
mod devices_tests;
mod error;
mod execute;
#[cfg(test)]
mod execute_tests;
mod fake;
mod pass;
mod progress;
mod recorder;
mod render;
#[cfg(test)]
mod resume_tests;
mod share;
#[cfg(test)]
mod share_tests;
mod source;
mod stop;
mod todo;
mod write_queue;

pub use devices::{Devices, MakeBackend};
pub use error::ExecuteError;
pub use execute::execute;
pub use fake::FakeBackend;
pub use pass::{Pass, Rank, Ranks};
pub use progress::{Failure, RunProgress, Summary};
pub use share::{SharedSummary, Worker, execute_shared};
pub use stop::Stop;
