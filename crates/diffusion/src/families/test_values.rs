//! Tiny models and what diffusers computed with them, for the tests of families.

use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A file or folder of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures")).join(name)
}

/// A model's folder, and the options that load it in f32 on the CPU.
pub fn tiny(name: &str) -> (ModelSource, LoadOptions<'static>) {
    (ModelSource::Folder(fixture(name)), LoadOptions::new(&Device::Cpu, DType::F32))
}

/// The tensors of `values.safetensors` in a folder of the fixtures.
pub fn values(folder: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(folder).join("values.safetensors"), &Device::Cpu).unwrap()
}

/// No text, an ordinary one, and one that every text encoder cuts or that is nearly as long.
pub fn texts() -> [String; 3] {
    let long = "the starry garden of monstera leaves ".repeat(16) + "end";
    [String::new(), "a portrait of a bearded man, by Vincent van Gogh".to_owned(), long]
}

/// The largest difference.
pub fn distance(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}
