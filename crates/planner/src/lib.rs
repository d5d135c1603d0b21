//! The planner: what an experiment file may say, what it means, and how its grid expands.
//!
//! The only crate that knows TOML. It reads the experiment file and the text files and patterns that the file names;
//! models and pictures it asks an [`AssetResolver`] about, and randomness it is given, so that the same answers make the same
//! plan. It renders nothing, prints nothing and keeps nothing.
//!
//! The line through it, in reading order: `extends` reads the files (`text_file`, `tree`, `layer`), `overrides` the
//! command line (`literals`), `merge` puts one over the other, `grid` reads every value (`axis`, `range`, `listing`,
//! `values`), `placeholders` and `rules` check what names what, `filter` picks the cells, `cells` checks them, and
//! `plan` holds the order.

mod assets;
mod axis;
mod cells;
mod extends;
mod filter;
mod grid;
mod labels;
mod layer;
mod listing;
mod literals;
mod merge;
mod merged;
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
mod text_file;
mod tree;
mod values;
mod work;
mod written;

pub use assets::{AssetError, AssetResolver};
pub use literals::literal;
pub use merged::distinct;
pub use nearest::did_you_mean;
pub use overrides::Overrides;
pub use plan::{Planned, Request, plan};
pub use problem::{PlanError, Problem};
pub use prompts::{PlannedPrompt, prompts};
pub use schema::schema;
pub use work::{Work, work};
pub use written::{Line, experiment, folder};
