//! How much memory the weights of a plan's models take, and whether they fit.

use crate::Workspace;
use crate::assets::models;
use crate::memory;
use maquette_core::{CellId, Dtype, Plan, SettingError, Settings};
use maquette_diffusion::{DeviceName, ModelSize, ModelSource, model_size};
use maquette_planner::combinations;
use std::collections::BTreeSet;
use std::path::Path;

/// Weights of fewer bytes fit everywhere: the free memory of a GPU is not asked for.
const SMALL: u64 = 1 << 28;
/// The most combinations of models, precisions, autoencoders and LoRAs that are looked at.
const MOST: usize = 200;

/// How much memory the weights of one model take.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelWeights {
    /// The model's name in the experiment.
    pub model: String,
    /// The precision of the cells.
    pub dtype: Dtype,
    /// The bytes by part.
    pub size: ModelSize,
    /// Whether they are offloaded.
    pub offload: bool,
    /// Why they do not fit, if they do not.
    pub excess: Option<Excess>,
}

/// Weights that need more memory than a device has.
#[derive(Debug, Clone, PartialEq)]
pub struct Excess {
    /// The device.
    pub device: DeviceName,
    /// The bytes that the device has: those that are free on a GPU, all of the machine for `cpu`.
    pub available: u64,
    /// The first other precision in which they fit.
    pub fits_in: Option<Dtype>,
    /// Whether they fit if they are offloaded, and are not yet.
    pub fits_offloaded: bool,
    /// Whether files with 8-bit floats or in GGUF take less memory, as they do for models that predict flow.
    pub packs: bool,
}

/// The weights of the models of some cells, each with the largest autoencoder and LoRAs that its cells name. The bundled model is left out, and models whose files cannot be read, which
/// rendering reports.
pub(crate) fn model_weights(
    workspace: &Workspace,
    plan: &Plan,
    cells: &[(usize, CellId)],
    base: &Path,
) -> Result<Vec<ModelWeights>, SettingError> {
    let device = workspace.device();
    let mut all: Vec<ModelWeights> = Vec::new();
    let needed = |size: &ModelSize| if workspace.offload { size.offloaded } else { size.at_once() };
    let mut seen = BTreeSet::new();
    for (cell, _) in combinations(plan, cells, &["model", "dtype", "vae", "lora"])? {
        let Settings { model, dtype, vae, lora, .. } = cell.settings;
        // Weights of LoRAs change nothing about their memory.
        let files = vae.iter().chain(lora.iter().map(|lora| &lora.file));
        let files: Vec<_> = files.map(|file| file.digest).collect();
        if seen.len() == MOST || !seen.insert((model.clone(), dtype, vae.is_some(), files)) {
            continue;
        }
        let source = models::find(&model, base, &workspace.environment.hub).ok();
        let Some(source) = source.filter(|source| !matches!(source, ModelSource::Bytes(_))) else { continue };
        let source = match &vae {
            Some(vae) => source.with_vae(&vae.file),
            None => Ok(source),
        };
        let size =
            |dtype| source.as_ref().ok().and_then(|source| model_size(source, device, dtype, &lora).ok());
        let Some(own) = size(dtype) else { continue };
        let available = if needed(&own) < SMALL { None } else { available(device) };
        let excess = available.filter(|available| needed(&own) > *available).map(|available| Excess {
            device,
            available,
            fits_in: [Dtype::Bf16, Dtype::F16]
                .into_iter()
                .find(|&other| size(other).is_some_and(|size| needed(&size) <= available)),
            fits_offloaded: !workspace.offload && own.offloaded <= available,
            packs: own.takes_turns,
        });
        let found =
            ModelWeights { model: model.to_string(), dtype, size: own, offload: workspace.offload, excess };
        match all.iter_mut().find(|known| known.model == found.model && known.dtype == dtype) {
            Some(known) if needed(&found.size) > needed(&known.size) => *known = found,
            Some(_) => {}
            None => all.push(found),
        }
    }
    Ok(all)
}

fn available(device: DeviceName) -> Option<u64> {
    match device {
        DeviceName::Cpu => memory::total(),
        DeviceName::Cuda(_) | DeviceName::Metal => device.free_memory(),
    }
}
