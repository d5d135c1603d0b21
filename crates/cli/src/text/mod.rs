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
mod status;
mod train;
mod verify;
mod weights;

pub use clean::unused;
pub use effects::effects;
pub use measure::{measured, measurement, metrics};
pub use percent::Percent;
pub use plan::plan;
pub use ranking::ranking;
pub use run::{counts, planned, reason, summary, worked};
pub use runs::{runs, runs_json};
pub use show::picture_info;
pub use status::{status, status_json};
pub use train::{trained, training_line};
pub use verify::{reproduction, verification};
