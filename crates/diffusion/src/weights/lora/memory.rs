//! How much memory LoRAs take, by the names and sizes in their headers.

use super::adapter::{self, AdapterFile};
use super::keys;
use super::names::{Found, Names};
use crate::weights::content::map_file;
use crate::weights::header::Header;
use crate::weights::lora::targets::{Layer, Targets};
use maquette_core::Lora;
use std::collections::BTreeSet;

/// The memory of LoRAs that are used together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LoraMemory {
    /// The bytes of their factors, in the memory of the machine.
    pub factors: u64,
    /// The values of second copies of weights, on the device: layers that are in memory keep the weights that they were loaded with.
    pub copies: u64,
}

/// The memory of these LoRAs in a model. Files and keys that cannot be read are left out: loading them reports them.
pub(crate) fn memory(targets: &Targets, loras: &[Lora]) -> LoraMemory {
    let (names, mut factors, mut changed) = (Names::of(targets), 0, BTreeSet::new());
    for lora in loras.iter().filter(|lora| lora.is_active()) {
        for AdapterFile { path, part } in adapter::files(&lora.file.file).unwrap_or_default() {
            let header = map_file(&path).ok().and_then(|content| Header::read(&content).ok());
            for (key, entry) in header.iter().flat_map(|header| header.iter()) {
                factors += entry.bytes.len() as u64;
                match keys::parse(key).and_then(|(module, _)| names.find(part, module)) {
                    Some(Found::One(layer)) => _ = changed.insert(*layer),
                    Some(Found::Rows(layers)) => changed.extend(layers.iter().map(|(name, _)| *name)),
                    None => {}
                }
            }
        }
    }
    let copies = changed.into_iter().filter_map(|name| targets.layers.get(name)).map(copy).sum();
    LoraMemory { factors, copies }
}

/// The values of a second copy of a layer's weight. A weight that can be read again has none.
fn copy(layer: &Layer) -> u64 {
    let Layer { weight, inputs, outputs, kernel, .. } = layer;
    let area = kernel.map_or(1, |kernel| kernel * kernel);
    if weight.size_to_load() > 0 { 0 } else { (inputs * outputs * area) as u64 }
}
