//! Results of the library as text for a terminal.

mod effects;
mod measure;
mod percent;
mod plan;
mod prompts;
mod ranking;
mod run;
mod show;
mod verify;

pub use effects::effects;
pub use measure::{measured, measurement, metrics};
pub use percent::Percent;
pub use plan::plan;
pub use ranking::ranking;
pub use run::{planned, reason, summary};
pub use show::picture_info;
pub use verify::{reproduction, verification};
