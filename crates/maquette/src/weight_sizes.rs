//! How much memory the weights of a plan's models take, and whether they fit.

use crate::Workspace;
use crate::assets::models;
use crate::memory;
use maquette_core::{CellId, Dtype, Plan, SettingError};
use maquette_diffusion::{DeviceName, ModelSize, ModelSource, model_size};
use maquette_planner::combinations;
use std::path::Path;

/// Weights of fewer bytes fit everywhere: the free memory of a GPU is not asked for.
const SMALL: u64 = 1 << 28;

/// How much memory the weights of one model take.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelWeights {
    /// The model's name in the experiment.
    pub model: String,
    /// The precision of the cells.
    pub dtype: Dtype,
    /// The bytes by part.
    pub size: ModelSize,
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
    /// Whether files with 8-bit floats or in GGUF take less memory, as they do for models that predict flow.
    pub packs: bool,
}

/// The weights of the models of some cells. The bundled model is left out, and models whose files cannot be read, which
/// rendering reports.
pub(crate) fn model_weights(
    workspace: &Workspace,
    plan: &Plan,
    cells: &[(usize, CellId)],
    base: &Path,
) -> Result<Vec<ModelWeights>, SettingError> {
    let device = workspace.device();
    let mut all: Vec<ModelWeights> = Vec::new();
    for (cell, _) in combinations(plan, cells, &["model", "dtype"])? {
        let (model, dtype) = (&*cell.settings.model, cell.settings.dtype);
        if all.iter().any(|known| known.model == model && known.dtype == dtype) {
            continue;
        }
        let source = models::find(model, base, &workspace.environment.hub).ok();
        let Some(source) = source.filter(|source| !matches!(source, ModelSource::Bytes(_))) else { continue };
        let Ok(size) = model_size(&source, device, dtype) else { continue };
        let available = if size.at_once() < SMALL { None } else { available(device) };
        let excess = available.filter(|available| size.at_once() > *available).map(|available| Excess {
            device,
            available,
            fits_in: [Dtype::Bf16, Dtype::F16].into_iter().find(|&other| {
                model_size(&source, device, other).is_ok_and(|size| size.at_once() <= available)
            }),
            packs: size.takes_turns,
        });
        all.push(ModelWeights { model: model.to_owned(), dtype, size, excess });
    }
    Ok(all)
}

fn available(device: DeviceName) -> Option<u64> {
    match device {
        DeviceName::Cpu => memory::total(),
        DeviceName::Cuda(_) | DeviceName::Metal => device.free_memory(),
    }
}
