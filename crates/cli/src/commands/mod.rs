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
mod rename;
mod report;
mod reproduce;
mod review;
mod run;
mod runs;
mod show;
mod status;
mod submit;
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
pub use rename::rename;
pub use report::report;
pub use reproduce::reproduce;
pub use review::review;
pub use run::run;
pub use runs::runs;
pub use show::show;
pub use status::status;
pub use submit::submit;
pub use verify::verify;
pub use votes::votes;
pub use work::work;

use crate::args::{BackendName, Common, DraftArgs, ExperimentArgs};
use crate::exit::Failure;
use crate::output;
use maquette::{DeviceName, DraftOptions, Error, Experiment, Overrides, Renderer, Workspace, with_causes};

/// The workspace that the options of every command name.
fn workspace(common: &Common) -> Result<Workspace, Failure> {
    Ok(Workspace::open(&common.runs)?)
}

/// The same, with the device and backend of a command that renders.
fn rendering_workspace(common: &Common, device: &str, backend: BackendName) -> Result<Workspace, Failure> {
    let workspace = workspace(common)?;
    Ok(match backend {
        BackendName::Engine => workspace.with_device(self::device(device)?),
        BackendName::Fake => workspace.with_renderer(Renderer::Fake),
    })
}

/// The device of that name. Warns if `auto` is the CPU in a build for GPUs, where that is not expected.
fn device(name: &str) -> Result<DeviceName, Failure> {
    if name != "auto" {
        return Ok(name.parse().map_err(Error::from)?);
    }
    let (device, unavailable) = DeviceName::detect();
    if let Some(error) = unavailable {
        output::warning(&format!("{}; using `{device}`", with_causes(&error)));
    }
    Ok(device)
}

fn draft(args: &DraftArgs) -> Option<DraftOptions> {
    args.draft.then_some(DraftOptions { steps: args.draft_steps })
}

fn experiment(args: &ExperimentArgs) -> Experiment {
    let ExperimentArgs { file, set, sweep, only, dtype, .. } = args;
    let overrides = Overrides { set: set.clone(), sweep: sweep.clone(), only: only.clone(), dtype: *dtype };
    Experiment { file: file.clone(), text: None, overrides }
}
