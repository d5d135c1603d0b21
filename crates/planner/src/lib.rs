//! The planner: reads experiment files, checks them, and expands their grids into plans.
//!
//! This is the only crate that reads and writes TOML. It reads the experiment file and the text files and patterns that the
//! file names. Models and pictures are looked up through an [`AssetResolver`], and random numbers come from the caller, so
//! the same inputs give the same plan. It does not render, print or store anything.
//!
//! Modules in reading order: `extends` reads the files (`text_file`, `tree`, `layer`), `overrides` the command line
//! (`literals`), `merge` merges them, `grid` reads every value (`axis`, `range`, `listing`, `values`), `placeholders` and
//! `rules` check references between names, `filter` selects the cells, `cells` checks them, and `plan` runs these
//! stages in order.

#![forbid(unsafe_code)]

mod assets;
mod axis;
mod cells;
mod derived_from;
mod experiment_text;
mod extends;
mod filter;
mod finer;
mod grid;
mod labels;
mod layer;
mod listing;
mod literals;
mod merge;
mod merged;
mod metrics;
mod nearest;
mod needs;
mod overrides;
mod place;
mod placeholders;
mod plan;
mod problem;
mod projection;
mod prompts;
mod range;
mod resolved;
mod rules;
mod schema;
mod seeds;
mod sheet;
mod subject;
mod text_file;
mod trainings;
mod tree;
mod values;
mod work;
mod written;

pub use assets::{AssetError, AssetResolver};
pub use experiment_text::{AxisText, AxisValueText, ExperimentText};
pub use finer::{FinerValue, finer};
pub use labels::given_labels;
pub use literals::literal;
pub use merged::distinct;
pub use metrics::MetricNames;
pub use nearest::did_you_mean;
pub use overrides::Overrides;
pub use plan::{Planned, Request, plan};
pub use problem::{PlanError, Problem};
pub use prompts::{PlannedPrompt, prompts};
pub use schema::schema;
pub use work::{Work, combinations, work};
pub use written::{Line, SubjectText, experiment, folder, subjects};
