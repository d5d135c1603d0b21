//! Results of the library as text for a terminal.

mod clean;
mod effects;
mod measure;
mod percent;
mod plan;
mod prompts;
mod ranking;
mod run;
mod runs;
mod show;
mod verify;

pub use clean::unused;
pub use effects::effects;
pub use measure::{measured, measurement, metrics};
pub use percent::Percent;
pub use plan::plan;
pub use ranking::ranking;
pub use run::{counts, planned, reason, summary};
pub use runs::{runs, runs_json};
pub use show::picture_info;
pub use verify::{reproduction, verification};
