//! What the library answers, as text for a terminal.

mod plan;
mod prompts;
mod run;
mod show;
mod verify;

pub use plan::plan;
pub use run::{planned, reason, summary};
pub use show::shown;
pub use verify::{reproduction, verification};
