//! One command per file: arguments to library calls, results to text. This file has what several of them share.

mod animate;
mod clean;
mod completions;
mod describe;
mod diff;
mod effects;
mod export;
mod mask;
mod measure;
mod models;
mod next;
mod plan;
mod pull;
mod rename;
mod report;
mod reproduce;
mod review;
mod run;
mod runs;
mod show;
mod status;
mod submit;
mod train;
mod verify;
mod votes;
mod work;

pub use animate::animate;
pub use clean::clean;
pub use completions::completions;
pub use describe::describe;
pub use diff::diff;
pub use effects::effects;
pub use export::export;
pub use mask::mask;
pub use measure::measure;
pub use models::{fetch, models};
pub use next::next;
pub use plan::plan;
pub use pull::pull;
pub use rename::rename;
pub use report::report;
pub use reproduce::reproduce;
pub use review::review;
pub use run::run;
pub use runs::runs;
pub use show::show;
pub use status::status;
pub use submit::submit;
pub use train::train;
pub use verify::verify;
pub use votes::votes;
pub use work::work;

use crate::args::{DraftArgs, ExperimentArgs};
use crate::workspace::{rendering_workspace, shared_workspace, with_device, workspace};
use maquette::{DraftOptions, Experiment, ModelNames, Overrides};

fn draft(args: &DraftArgs) -> Option<DraftOptions> {
    args.draft.then_some(DraftOptions { steps: args.draft_steps })
}

fn experiment(args: &ExperimentArgs) -> Experiment {
    let ExperimentArgs { file, set, sweep, only, dtype, .. } = args;
    let overrides = Overrides { set: set.clone(), sweep: sweep.clone(), only: only.clone(), dtype: *dtype };
    Experiment { file: file.clone(), text: None, overrides }
}

/// The models of metrics that the command line names, by kind.
fn named_models<const N: usize>(given: [(&str, &Option<String>); N]) -> ModelNames {
    given.into_iter().filter_map(|(kind, name)| Some((kind.to_owned(), name.clone()?))).collect()
}
