//! One command per file; here only the list.

mod completions;
mod diff;
mod models;
mod plan;
mod report;
mod reproduce;
mod run;
mod runs;
mod show;
mod verify;

pub use completions::completions;
pub use diff::diff;
pub use models::{fetch, models};
pub use plan::plan;
pub use report::report;
pub use reproduce::reproduce;
pub use run::run;
pub use runs::runs;
pub use show::show;
pub use verify::verify;
