//! Models composed of parts from several folders of the fixtures, and changed ones.

use crate::cases::fixtures;
use crate::copies::{change_tensors, copy_folder};
use maquette_diffusion::{DeviceName, Engine, ModelSource};
use std::path::Path;
use tempfile::TempDir;

/// A folder of a model whose parts come from other folders among the fixtures; the last folder with a part takes
/// precedence. It must outlive the engine.
pub fn composed(folders: &[&str]) -> TempDir {
    let model = tempfile::tempdir().unwrap();
    folders.iter().for_each(|folder| copy_folder(&fixtures().join(folder), model.path()));
    model
}

/// The inpainting model: tiny-a with another UNet.
pub fn inpainting_model() -> TempDir {
    composed(&["tiny-a", "masks"])
}

/// tiny-a with a safety checker.
pub fn checked_model() -> TempDir {
    composed(&["tiny-a", "safety"])
}

/// Velocity prediction from pure noise: tiny-sd2 with the schedule of a model that needs rescaled guidance.
pub fn zero_snr_model() -> TempDir {
    composed(&["tiny-sd2", "rescale"])
}

/// tiny-a with a decoder that overflows in f16, beyond 65504; in f32 the scale of its weights has no effect, because
/// norms follow.
pub fn overflowing_model() -> TempDir {
    let model = composed(&["tiny-a"]);
    change_tensors(&model.path().join("vae/diffusion_pytorch_model.safetensors"), |tensors| {
        let weight = tensors.get_mut("decoder.conv_in.weight").unwrap();
        *weight = (&*weight * 1e7).unwrap();
    });
    model
}

/// An engine that has one model, under any name.
pub fn engine_of(device: DeviceName, model: &Path) -> Engine {
    let model = model.to_owned();
    let find = move |_: &str| Ok(ModelSource::Folder(model.clone()));
    Engine::new(device, Box::new(find), None).unwrap()
}
