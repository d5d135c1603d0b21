//! From the command line to a plan: what `plan` and `run` have in common.

use crate::args::{BackendName, ExperimentArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::store_failure;
use crate::world::{FakeMachine, Machine};
use maquette_diffusion::DeviceName;
use maquette_planner::{Overrides, Planned, Request, World};
use maquette_store::Runs;
use std::path::{Path, PathBuf};

/// A planned experiment, and where it would run.
pub struct Planning {
    /// The plan and what belongs to it.
    pub planned: Planned,
    /// The device of `--device`.
    pub device: DeviceName,
    /// The experiment file's folder, where the names of model folders begin.
    pub base: PathBuf,
}

/// Plans an experiment. Seeds that the newest run of the same experiment drew are used again.
pub fn plan(args: &ExperimentArgs, backend: BackendName, runs: &Runs) -> Result<Planning, Failure> {
    let device = match backend {
        BackendName::Engine => args.device.parse::<DeviceName>().or_exit(Exit::Experiment)?,
        BackendName::Fake => DeviceName::Cpu,
    };
    let base = args.file.parent().unwrap_or(Path::new("")).to_owned();
    let world: Box<dyn World> = match backend {
        BackendName::Engine => Box::new(Machine { base: base.clone() }),
        BackendName::Fake => Box::new(FakeMachine),
    };
    let overrides = Overrides {
        set: args.set.clone(),
        sweep: args.sweep.clone(),
        only: args.only.clone(),
        dtype: args.dtype,
    };
    let latest = args.file.file_stem().and_then(|stem| runs.latest(&stem.to_string_lossy()).ok().flatten());
    let before = latest.and_then(|run| run.plan().ok()).map(|plan| plan.drawn);
    // Should there be no randomness to be had, seed 0 is drawn; it is written down like any other.
    let mut draw = || i64::from(getrandom::u32().unwrap_or(0));
    let request = Request {
        file: &args.file,
        overrides: &overrides,
        default_dtype: device.dtype(),
        drawn: before.as_ref(),
        draw: &mut draw,
    };
    let planned = maquette_planner::plan(request, world.as_ref())
        .map_err(|error| Failure { exit: Exit::Experiment, report: error.into() })?;
    Ok(Planning { planned, device, base })
}

/// The runs folder.
pub fn runs(root: &Path) -> Result<Runs, Failure> {
    Runs::open(root).map_err(store_failure(Exit::NotFound))
}
