//! LoRA (Hu et al., arXiv 2106.09685): low-rank changes that a file adds to the weights of a model's layers.
//!
//! A LoRA is a low-rank branch of each layer that it changes, and rendering merges the branches into the weights: a
//! layer's weight becomes `W + sum of weight * alpha / rank * up * down`. The model is not reloaded when only the LoRAs
//! or their weights change.
//!
//! Not here: LoHa, LoKr, DoRA and other kinds, which are refused by name; `<lora:…>` in prompts, which `core` parses.

mod error;
mod file;
mod keys;
mod ldm;
mod names;
pub(crate) mod targets;

use crate::cache::Cache;
use crate::weights::lora::targets::Layers;
use crate::weights::small_file;
use candle_core::{DType, Result, Tensor};
pub use error::LoraError;
use file::{Change, LoraFile};
use maquette_core::{Digest, Lora};
use maquette_kernels::{Branch, Weight};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The number of cached files: a sweep that alternates among a few of them reads each once.
const FILES: usize = 4;

/// The LoRAs of a loaded model.
///
/// Memory: layers keep the weights that they were loaded with, so that every change of the LoRAs starts from them and
/// rounding does not accumulate; that is at most a second copy of the text encoder and the UNet. The files' factors are
/// kept, a hundredth of that. Their products are not: computing them takes less than a second, and keeping them would
/// take the memory of the whole model for each LoRA.
pub(crate) struct Loras {
    files: Cache<Digest, Arc<LoraFile>>,
    /// The layers that are currently changed.
    changed: BTreeSet<String>,
    applied: Key,
    of_text: Key,
}

/// The active LoRAs and the bits of their weights, in order; those of weight 0 are left out.
pub(crate) type Key = Vec<(Digest, u64)>;

/// Identifies a set of LoRAs.
pub(crate) fn key(loras: &[Lora]) -> Key {
    active(loras).map(|lora| (lora.file.digest, lora.weight.to_bits())).collect()
}

fn active(loras: &[Lora]) -> impl Iterator<Item = &Lora> {
    loras.iter().filter(|lora| lora.weight != 0.0)
}

/// Refuses a file that is not a LoRA of a supported kind, by its header. Whether it fits a model is checked with the
/// model.
pub fn check(path: &Path, bytes: &[u8]) -> std::result::Result<(), LoraError> {
    let file = path.display().to_string();
    let keys = small_file::keys(&file, bytes)?;
    match keys.into_iter().find_map(|key| keys::other_kind(&key).map(|kind| (key, kind))) {
        Some((key, kind)) => Err(LoraError::Kind { file, key, kind }),
        None => Ok(()),
    }
}

impl Loras {
    pub(crate) fn new() -> Loras {
        Loras { files: Cache::new(FILES), changed: BTreeSet::new(), applied: Key::new(), of_text: Key::new() }
    }

    /// Makes a model's layers compute with these LoRAs and no others. After an error they compute without LoRAs.
    pub(crate) fn apply(&mut self, layers: &Layers, loras: &[Lora]) -> std::result::Result<(), LoraError> {
        let wanted = key(loras);
        if wanted == self.applied {
            return Ok(());
        }
        let mut files = Vec::new();
        for lora in active(loras) {
            let file = self
                .files
                .get_or_try(&lora.file.digest, || LoraFile::open(&lora.file.file, layers).map(Arc::new));
            files.push((lora.weight, file.inspect_err(|_| self.remove(layers))?));
        }
        let changed = files.iter().flat_map(|(_, file)| file.layers().map(str::to_owned)).collect();
        let before = std::mem::replace(&mut self.changed, changed);
        let merged = before.union(&self.changed).try_for_each(|name| {
            let Some(layer) = layers.get(name) else { return Ok(()) };
            let changes = files.iter().filter_map(|(weight, file)| Some((*weight, file.change(name)?)));
            layer.weight.merge(&branches(&layer.weight, changes)?)
        });
        if let Err(source) = merged {
            self.changed.extend(before);
            self.remove(layers);
            return Err(LoraError::Device { source });
        }
        let of_text = wanted.iter().zip(&files).filter(|(_, (_, file))| file.changes_text());
        self.of_text = of_text.map(|(key, _)| *key).collect();
        self.applied = wanted;
        Ok(())
    }

    /// The active LoRAs that change the text encoders: embeddings computed under another key are invalid.
    pub(crate) fn of_text(&self) -> &Key {
        &self.of_text
    }

    fn remove(&mut self, layers: &Layers) {
        for name in std::mem::take(&mut self.changed) {
            if let Some(layer) = layers.get(&name) {
                layer.weight.set_branches(Vec::new());
            }
        }
        self.applied.clear();
        self.of_text.clear();
    }
}

/// The branches of a layer: its changes, each with the weight of its LoRA.
fn branches<'a>(weight: &Weight, changes: impl Iterator<Item = (f64, &'a Change)>) -> Result<Vec<Branch>> {
    let branch = |(of_lora, change): (f64, &Change)| {
        let scale = of_lora * change.scale;
        match &change.mid {
            None => Ok(Branch { down: change.down.clone(), up: change.up.clone(), scale }),
            Some(mid) => {
                let like = weight.base();
                let factor = |tensor: &Tensor| tensor.to_device(like.device())?.to_dtype(DType::F32);
                let (down, mid, up) = (factor(&change.down)?, factor(mid)?, factor(&change.up)?);
                Branch::with_mid(weight.kernels(), &down, &mid, up, scale)
            }
        }
    };
    changes.map(branch).collect()
}
