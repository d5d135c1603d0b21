//! From the command line to a plan: what `plan` and `run` have in common.

use crate::args::{BackendName, ExperimentArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::fetching::{self, Shown};
use crate::output::store_failure;
use crate::world::{FakeMachine, Machine};
use maquette_diffusion::DeviceName;
use maquette_planner::{Overrides, Planned, Request, World};
use maquette_store::Runs;
use std::collections::BTreeMap;
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
///
/// A model that is on the hub and not on this machine is a mistake like any other, told with its size, unless
/// `download` says how to show getting it; and even then it is only got when nothing else is wrong.
pub fn plan(
    args: &ExperimentArgs,
    backend: BackendName,
    runs: &Runs,
    download: Option<Shown>,
) -> Result<Planning, Failure> {
    let latest = args.file.file_stem().and_then(|stem| runs.latest(&stem.to_string_lossy()).ok().flatten());
    let before = latest.and_then(|run| run.plan().ok()).map(|plan| plan.drawn);
    let asked = Asked { args, text: None, drawn: before.as_ref() };
    plan_asked(&asked, backend, runs, download)
}

/// Plans the experiment that a picture says, as if it stood in a file beside it.
pub fn plan_text(
    args: &ExperimentArgs,
    text: &str,
    backend: BackendName,
    runs: &Runs,
    download: Option<Shown>,
) -> Result<Planning, Failure> {
    plan_asked(&Asked { args, text: Some(text), drawn: None }, backend, runs, download)
}

/// What is asked of the planner.
struct Asked<'a> {
    args: &'a ExperimentArgs,
    text: Option<&'a str>,
    drawn: Option<&'a BTreeMap<String, Vec<i64>>>,
}

fn plan_asked(
    asked: &Asked,
    backend: BackendName,
    runs: &Runs,
    download: Option<Shown>,
) -> Result<Planning, Failure> {
    let Asked { args, text, drawn } = *asked;
    let device = match backend {
        BackendName::Engine => args.device.parse::<DeviceName>().or_exit(Exit::Experiment)?,
        BackendName::Fake => DeviceName::Cpu,
    };
    let base = args.file.parent().unwrap_or(Path::new("")).to_owned();
    let machine = Machine::new(base.clone(), runs.clone());
    let world: &dyn World = match backend {
        BackendName::Engine => &machine,
        BackendName::Fake => &FakeMachine,
    };
    let overrides = Overrides {
        set: args.set.clone(),
        sweep: args.sweep.clone(),
        only: args.only.clone(),
        dtype: args.dtype,
    };
    // Should there be no randomness to be had, seed 0 is drawn; it is written down like any other.
    let mut draw = || i64::from(getrandom::u32().unwrap_or(0));
    let mut plan = || {
        let request = Request {
            file: &args.file,
            text,
            overrides: &overrides,
            default_dtype: device.dtype(),
            drawn,
            draw: &mut draw,
        };
        maquette_planner::plan(request, world)
    };
    let mut planned = plan();
    if let (Err(error), Some(shown)) = (&planned, download) {
        let absent = machine.absent();
        if !absent.is_empty() && absent.len() == error.problems.len() + error.more {
            let hub = fetching::hub().map_err(|error| fetching::failure(&error))?;
            for offer in absent {
                fetching::fetch(&hub, &offer, shown)?;
            }
            planned = plan();
        }
    }
    let planned = planned.map_err(|error| Failure { exit: Exit::Experiment, report: error.into() })?;
    Ok(Planning { planned, device, base })
}

/// The runs folder.
pub fn runs(root: &Path) -> Result<Runs, Failure> {
    Runs::open(root).map_err(store_failure(Exit::NotFound))
}
