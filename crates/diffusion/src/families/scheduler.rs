//! The scheduler of a model: its configuration as diffusers' pipeline uses it, and its class.
//!
//! Not here: which options are supported, and the schedulers' formulas (`schedulers/`).

use crate::error::ModelError;
use crate::families::detect::Kind;
use crate::families::files::{INDEX, SCHEDULER_CONFIG};
use crate::schedulers::{FlowConfig, SchedulerConfig};
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use maquette_core::{Digest, ModelCard, Scheduler};
use serde::Deserialize;

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

/// The scheduler of a model.
pub(super) struct ModelScheduler {
    /// Its configuration; every scheduler can be made from it, as with diffusers' `from_config`.
    pub config: SchedulerConfig,
    /// Its class in diffusers.
    pub class: String,
    /// Its class here; `None` if it is not supported.
    pub scheduler: Option<Scheduler>,
    /// Values that are not taken literally; each a sentence without its full stop.
    pub notes: Vec<String>,
    /// Whether the first version of the rules for reading models read another configuration.
    pub is_reread: bool,
}

/// Reads a model's scheduler.
///
/// `model_index.json` decides its class and `scheduler_config.json` its values, whatever class that names, as in
/// `DiffusionPipeline.from_pretrained`.
pub(super) fn read(source: &ModelSource, kind: Kind) -> Result<ModelScheduler, ModelError> {
    let file = ConfigFile::open(source, SCHEDULER_CONFIG)?;
    let written = file.parse(SchedulerConfig::read)?;
    let indexed = match source.has(INDEX) {
        true => class_in(&ConfigFile::open(source, INDEX)?),
        false => None,
    };
    let mut notes = Vec::new();
    if let (Some(indexed), Some(other)) =
        (&indexed, written.class_name.as_ref().filter(|it| Some(*it) != indexed.as_ref()))
    {
        notes.push(format!("the scheduler is {indexed}, as {INDEX} says; {SCHEDULER_CONFIG} says {other}"));
    }
    let class = indexed.or_else(|| written.class_name.clone());
    let class = class.unwrap_or_else(|| "a class that its files do not name".to_owned());
    let scheduler = CLASSES.iter().find(|(known, _)| *known == class).map(|(_, scheduler)| *scheduler);
    if scheduler.is_none() {
        notes.push(format!(
            "its own scheduler, {class}, is not supported; others are made from its configuration"
        ));
    }
    for key in ["timestep_spacing", "prediction_type"].into_iter().filter(|key| file.is_null(key)) {
        notes.push(format!(
            "`{key}` is null in {SCHEDULER_CONFIG}, which diffusers refuses; the default is used"
        ));
    }
    if written.algorithm_type.as_deref() == Some("deis") {
        notes.push(format!(
            "`algorithm_type` is deis in {SCHEDULER_CONFIG}; dpmpp_2m uses dpmsolver++ instead, by which diffusers replaces \
             it, too, though it then refuses the final sigma 0"
        ));
    }
    let mut is_reread = ["clip_sample", "set_alpha_to_one"].into_iter().any(|key| file.is_null(key));
    let config = match kind {
        Kind::StableDiffusion => {
            is_reread |= written.steps_offset != Some(1) || written.clip_sample != Some(false);
            for (key, changed, value) in [
                ("steps_offset", written.steps_offset.is_some_and(|offset| offset != 1), "1"),
                ("clip_sample", written.clip_sample == Some(true), "false"),
            ] {
                if changed {
                    notes.push(format!(
                        "`{key}` in {SCHEDULER_CONFIG} is ignored; it is {value}, as in StableDiffusionPipeline"
                    ));
                }
            }
            written.in_stable_diffusion()
        }
        _ => written,
    };
    Ok(ModelScheduler { config, class, scheduler, notes, is_reread })
}

/// diffusers' classes of schedulers of flow.
const FLOW_CLASSES: [(&str, Scheduler); 2] = [
    ("FlowMatchEulerDiscreteScheduler", Scheduler::FlowEuler),
    ("FlowMatchHeunDiscreteScheduler", Scheduler::FlowHeun),
];

/// The scheduler of a model that predicts flow.
pub(super) struct FlowScheduler {
    pub config: FlowConfig,
    /// Its class in diffusers.
    pub class: String,
    /// Its class here; `None` if it is not supported.
    pub scheduler: Option<Scheduler>,
}

impl FlowScheduler {
    /// The card of a model with this scheduler, made for pictures of `size` x `size` pixels.
    pub fn card(self, kind: Kind, size: u32, multiple_of: u32, fingerprint: Digest) -> ModelCard {
        ModelCard {
            fingerprint,
            family: kind.family(),
            size: (size, size),
            multiple_of,
            reading: 1,
            scheduler: self.scheduler,
            scheduler_class: self.scheduler.is_none().then_some(self.class),
            spacing: None,
            sigmas: None,
            shift: self.config.constant_shift(),
            steps: None,
            guidance_scale: None,
            prediction_type: None,
            zero_snr: None,
            inpainting: false,
            guidance_embedding: false,
            safety_checker: false,
            safety_checker_weights: None,
        }
    }
}

/// Reads the scheduler of a model that predicts flow.
pub(super) fn read_flow(source: &ModelSource) -> Result<FlowScheduler, ModelError> {
    let file = ConfigFile::open(source, SCHEDULER_CONFIG)?;
    let config = file.parse(|values| {
        // Null means the default, as in the constructor of the class.
        let written: serde_json::Map<_, _> = values
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        FlowConfig::deserialize(serde_json::Value::Object(written))
    })?;
    let indexed = match source.has(INDEX) {
        true => class_in(&ConfigFile::open(source, INDEX)?),
        false => None,
    };
    let named = file.get("_class_name").and_then(|class| class.as_str()).map(str::to_owned);
    let class = indexed.or(named).unwrap_or_else(|| FLOW_CLASSES[0].0.to_owned());
    let scheduler = FLOW_CLASSES.iter().find(|(known, _)| *known == class).map(|(_, scheduler)| *scheduler);
    Ok(FlowScheduler { config, class, scheduler })
}

/// The scheduler's class that an index names: `"scheduler": ["diffusers", "PNDMScheduler"]`.
fn class_in(index: &ConfigFile) -> Option<String> {
    index.get("scheduler")?.as_array()?.get(1)?.as_str().map(str::to_owned)
}
