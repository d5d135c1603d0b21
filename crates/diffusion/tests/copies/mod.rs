//! Copies of the fixtures' models, for tests that change them.

mod folder;

use candle_core::{Device, Tensor};
pub use folder::copy_folder;
use std::collections::HashMap;
use std::path::Path;

/// Changes the tensors of a weight file.
pub fn change_tensors(file: &Path, change: impl FnOnce(&mut HashMap<String, Tensor>)) {
    let mut tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    change(&mut tensors);
    std::fs::remove_file(file).unwrap();
    candle_core::safetensors::save(&tensors, file).unwrap();
}
