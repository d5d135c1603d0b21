//! The default scheduler of a model, by its class in diffusers.
//!
//! Not here: which options are supported, and the schedulers' formulas (`schedulers/`).

use crate::error::ModelError;
use crate::families::files::SCHEDULER_CONFIG;
use crate::schedulers::SchedulerConfig;
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use maquette_core::Scheduler;

/// diffusers' classes and the corresponding schedulers.
const CLASSES: [(&str, Scheduler); 9] = [
    ("PNDMScheduler", Scheduler::Pndm),
    ("DDIMScheduler", Scheduler::Ddim),
    ("DDPMScheduler", Scheduler::Ddpm),
    ("EulerDiscreteScheduler", Scheduler::Euler),
    ("EulerAncestralDiscreteScheduler", Scheduler::EulerA),
    ("HeunDiscreteScheduler", Scheduler::Heun),
    ("DPMSolverMultistepScheduler", Scheduler::Dpmpp2m),
    ("UniPCMultistepScheduler", Scheduler::Unipc),
    ("LCMScheduler", Scheduler::Lcm),
];

/// The scheduler's configuration, and the scheduler.
pub(super) fn read(source: &ModelSource) -> Result<(SchedulerConfig, Scheduler), ModelError> {
    let file = ConfigFile::open(source, SCHEDULER_CONFIG)?;
    let config: SchedulerConfig = file.parse()?;
    match CLASSES.iter().find(|(class, _)| *class == config.class_name) {
        Some((_, scheduler)) => Ok((config, *scheduler)),
        None => Err(file.refuse("_class_name", CLASSES.map(|(class, _)| class).join(", "))),
    }
}
