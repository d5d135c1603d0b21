//! Copies of the fixtures' models, for tests that change something in them.

use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// Copies a model's folder.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Changes the tensors of a weight file.
pub fn change_tensors(file: &Path, change: impl FnOnce(&mut HashMap<String, Tensor>)) {
    let mut tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    change(&mut tensors);
    std::fs::remove_file(file).unwrap();
    candle_core::safetensors::save(&tensors, file).unwrap();
}
