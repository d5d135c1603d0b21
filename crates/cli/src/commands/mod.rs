//! One command per file: arguments to library calls, results to text. This file has what several of them share.

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

use crate::args::{BackendName, Common, ExperimentArgs};
use crate::exit::Failure;
use maquette::{Error, Experiment, Overrides, Renderer, Workspace};

/// The workspace that the options of every command name.
fn workspace(common: &Common) -> Result<Workspace, Failure> {
    Ok(Workspace::open(&common.runs)?)
}

/// The same, with the device and backend of a command that renders.
fn rendering_workspace(common: &Common, device: &str, backend: BackendName) -> Result<Workspace, Failure> {
    let workspace = workspace(common)?;
    Ok(match backend {
        BackendName::Engine => workspace.with_device(device.parse().map_err(Error::from)?),
        BackendName::Fake => workspace.with_renderer(Renderer::Fake),
    })
}

fn experiment(args: &ExperimentArgs) -> Experiment {
    let ExperimentArgs { file, set, sweep, only, dtype, .. } = args;
    let overrides = Overrides { set: set.clone(), sweep: sweep.clone(), only: only.clone(), dtype: *dtype };
    Experiment { file: file.clone(), text: None, overrides }
}
