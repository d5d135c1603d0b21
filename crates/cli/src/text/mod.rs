//! Results of the library as text for a terminal.

mod clean;
mod plan;
mod prompts;
mod run;
mod runs;
mod show;
mod verify;

pub use clean::unused;
pub use plan::plan;
pub use run::{counts, planned, reason, summary};
pub use runs::{runs, runs_json};
pub use show::picture_info;
pub use verify::{reproduction, verification};
