//! Models composed of parts from several folders of the fixtures.

use crate::copies::copy_folder;
use maquette_diffusion::{DeviceName, Engine, ModelSource};
use std::path::Path;

/// A folder of a model whose parts come from other folders; the last folder with a part takes precedence.
pub fn composed(folders: &[&Path]) -> tempfile::TempDir {
    let model = tempfile::tempdir().unwrap();
    folders.iter().for_each(|folder| copy_folder(folder, model.path()));
    model
}

/// An engine that has one model, under any name.
pub fn engine_of(model: &Path) -> Engine {
    let model = model.to_owned();
    let find = move |_: &str| Ok(ModelSource::Folder(model.clone()));
    Engine::new(DeviceName::Cpu, Box::new(find), None).unwrap()
}
