//! LoRA (Hu et al., arXiv 2106.09685) and its kin: changes that a file adds to the parameters of a model's layers.
//!
//! A LoRA is a low-rank branch of each layer that it changes, and rendering merges the branches into the weights: a
//! layer's weight becomes `W + sum of weight * alpha / rank * up * down`. LoHa, LoKr, DoRA and full differences are merged
//! as whole matrices; the sum is always of changes of the model's own weights, so their order has no effect. The model is
//! not reloaded when only the LoRAs or their weights change.
//!
//! Not here: OFT, BOFT, IA3, GLoRA and other kinds, which are refused by name; `<lora:…>` in prompts, which `core` parses.

mod adapter;
mod change;
mod error;
mod factors;
mod file;
mod fit;
mod fused;
mod keys;
mod ldm;
mod memory;
mod names;
mod peft;
pub(crate) mod targets;

use crate::cache::Cache;
use crate::weights::lora::targets::Targets;
use crate::weights::textual_inversion::{Inversion, InversionError};
pub use adapter::digest;
use candle_core::Result;
use change::Change;
pub use error::LoraError;
use file::{LoraFile, is_text};
pub use file::{check, has_embeddings};
use maquette_core::{Digest, Lora};
pub(crate) use memory::{LoraMemory, memory};
use std::collections::BTreeSet;
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
    /// The active LoRAs that have textual inversions.
    bundles: Vec<(Lora, Arc<LoraFile>)>,
    applied: Key,
    of_text: Key,
}

/// The active LoRAs and the bits of their weights, in order; those of weight 0 are left out.
pub(crate) type Key = Vec<(Digest, [u64; 2])>;

/// Identifies a set of LoRAs.
pub(crate) fn key(loras: &[Lora]) -> Key {
    active(loras).map(Lora::key).collect()
}

fn active(loras: &[Lora]) -> impl Iterator<Item = &Lora> {
    loras.iter().filter(|lora| lora.is_active())
}

impl Loras {
    pub(crate) fn new() -> Loras {
        Loras {
            files: Cache::new(FILES),
            changed: BTreeSet::new(),
            bundles: Vec::new(),
            applied: Key::new(),
            of_text: Key::new(),
        }
    }

    /// Makes a model's layers compute with these LoRAs and no others. After an error they compute without LoRAs.
    pub(crate) fn apply(&mut self, targets: &Targets, loras: &[Lora]) -> std::result::Result<(), LoraError> {
        let wanted = key(loras);
        if wanted == self.applied {
            return Ok(());
        }
        let mut files = Vec::new();
        for lora in active(loras) {
            let open = || LoraFile::open(&lora.file.file, targets).map(Arc::new);
            let file = self.files.get_or_try(&lora.file.digest, open);
            files.push((lora, file.inspect_err(|_| self.remove(targets))?));
        }
        let changed = files.iter().flat_map(|(_, file)| file.layers().map(str::to_owned)).collect();
        let before = std::mem::replace(&mut self.changed, changed);
        let merged = before.union(&self.changed).try_for_each(|name| {
            let weight = |lora: &Lora| if is_text(name) { lora.text_weight } else { lora.weight };
            let changes = files.iter().filter_map(|(lora, file)| Some((weight(lora), file.change(name)?)));
            merge(targets, name, &changes.filter(|(weight, _)| *weight != 0.0).collect::<Vec<_>>())
        });
        if let Err(source) = merged {
            self.changed.extend(before);
            self.remove(targets);
            return Err(LoraError::Device { source });
        }
        let of_text = wanted.iter().zip(&files).filter(|(_, (_, file))| file.changes_text());
        self.of_text = of_text.map(|(key, _)| *key).collect();
        let bundles = files.into_iter().filter(|(_, file)| !file.embeddings.is_empty());
        self.bundles = bundles.map(|(lora, file)| (lora.clone(), file)).collect();
        self.applied = wanted;
        Ok(())
    }

    /// The active LoRAs that change the text encoders: embeddings computed under another key are invalid.
    pub(crate) fn of_text(&self) -> &Key {
        &self.of_text
    }

    /// The textual inversions in the active LoRAs, for text encoders of these widths.
    pub(crate) fn inversions(
        &self,
        widths: &[usize],
    ) -> std::result::Result<Vec<Arc<Inversion>>, InversionError> {
        let mut inversions = Vec::new();
        for (lora, file) in &self.bundles {
            for (word, tensors) in &file.embeddings {
                let path = lora.file.file.display().to_string();
                let inversion = Inversion::of(word, path, lora.file.digest, tensors.clone(), widths)?;
                inversions.push(Arc::new(inversion));
            }
        }
        Ok(inversions)
    }

    fn remove(&mut self, targets: &Targets) {
        for name in std::mem::take(&mut self.changed) {
            // Without changes there is nothing to compute that could fail.
            let _ = merge(targets, &name, &[]);
        }
        self.bundles.clear();
        self.applied.clear();
        self.of_text.clear();
    }
}

/// Merges changes, each with the weight of its LoRA, into a layer or a norm.
fn merge(targets: &Targets, name: &str, changes: &[(f64, &Change)]) -> Result<()> {
    let biases: Vec<_> = changes
        .iter()
        .flat_map(|(weight, change)| change.bias.iter().map(move |(bias, scale)| (bias, weight * scale)))
        .collect();
    if let Some(layer) = targets.layers.get(name) {
        let of_weight =
            changes.iter().filter_map(|(weight, change)| Some((*weight, change.weight.as_ref()?)));
        let merged = of_weight.map(|(weight, change)| change.of(&layer.weight, weight));
        layer.weight.merge(&merged.collect::<Result<Vec<_>>>()?)?;
        if let Some(bias) = &layer.bias {
            bias.add(&biases)?;
        }
    }
    if let Some(norm) = targets.norms.get(name) {
        let scales = changes.iter().filter_map(|(weight, change)| Some((change.scale.as_ref()?, *weight)));
        norm.weight.add(&scales.collect::<Vec<_>>())?;
        norm.bias.add(&biases)?;
    }
    Ok(())
}

/// The textual inversions in LoRAs, without a model, for text encoders of these widths.
pub(crate) fn inversions(
    loras: &[Lora],
    widths: &[usize],
) -> std::result::Result<Vec<Arc<Inversion>>, InversionError> {
    let mut inversions = Vec::new();
    for lora in active(loras) {
        let path = lora.file.file.display().to_string();
        for (word, tensors) in file::embeddings(&lora.file.file)? {
            let inversion = Inversion::of(&word, path.clone(), lora.file.digest, tensors, widths)?;
            inversions.push(Arc::new(inversion));
        }
    }
    Ok(inversions)
}
