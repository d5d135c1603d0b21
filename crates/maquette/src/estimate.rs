//! How long a plan would take on this machine, from earlier measurements. Without measurements there is no estimate.

use maquette_core::{Plan, Settings};
use maquette_diffusion::DeviceName;
use maquette_store::{Timings, WorkKind};
use std::collections::BTreeSet;

/// The cost as far as it is known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Estimate {
    /// Seconds for the cells of kinds that were measured.
    pub seconds: f64,
    /// Cells of kinds that were never rendered here.
    pub unknown: usize,
    /// The most memory that runs of these kinds took, in bytes.
    pub memory: Option<u64>,
}

/// The settings on which the time and memory of a plan's cells depend.
pub(crate) fn deciding(plan: &Plan) -> Vec<&'static str> {
    let mut names = vec![
        "model",
        "width",
        "height",
        "dtype",
        "init_image",
        "scheduler",
        "steps",
        "strength",
        "deepcache_interval",
        "deepcache_branch_id",
    ];
    if plan.has_guidance_intervals() {
        names.extend(["guidance_interval", "guidance_scale", "true_cfg_scale", "dialect", "prompt"]);
    }
    names
}

/// Adds up the time of cells: settings, and how many cells have the same of those that are [`deciding`]. Devices that share them
/// are taken to be as fast as the first.
pub(crate) fn estimate(
    plan: &Plan,
    cells: impl IntoIterator<Item = (Settings, usize)>,
    devices: &[DeviceName],
    timings: &Timings,
) -> Estimate {
    let device = &*devices[0].to_string();
    // Several times the CPU is not faster than once.
    let at_once = if devices[0] == DeviceName::Cpu { 1.0 } else { devices.len() as f64 };
    let mut estimate = Estimate::default();
    let mut loads = BTreeSet::new();
    for (settings, count) in cells {
        let Some(card) = plan.models.get(&*settings.model) else { continue };
        let work = WorkKind::of(&settings, &card.fingerprint, device);
        match timings.steps(&work).and_then(|speed| speed.seconds_each()) {
            Some(seconds) => {
                estimate.seconds += seconds * settings.unet_work(card) * count as f64 / at_once;
            }
            None => estimate.unknown += count,
        }
        estimate.memory = estimate.memory.max(timings.memory(&work));
        loads.insert(card.fingerprint);
    }
    for fingerprint in loads {
        if let Some(seconds) = timings.loads(device, &fingerprint).and_then(|speed| speed.seconds_each()) {
            estimate.seconds += seconds;
        }
    }
    estimate
}
