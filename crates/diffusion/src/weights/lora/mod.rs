//! LoRA (Hu et al., arXiv 2106.09685): changes of low rank that a file adds to the weights of a model's layers.
//!
//! A layer's weight becomes `W + sum of weight * alpha / rank * up * down`, computed in f32 and rounded to the model's
//! dtype once. Nothing is loaded again when only the LoRAs or their weights change.
//!
//! Not here: LoHa, LoKr, DoRA and other kinds, which are refused by name; `<lora:…>` in prompts, which `core` reads.

mod error;
mod file;
mod keys;
mod ldm;
mod names;
pub(crate) mod targets;

use crate::cache::Cache;
use crate::weights::lora::targets::{Layer, Layers};
use crate::weights::small_file;
use candle_core::{DType, Result, Tensor};
pub use error::LoraError;
use file::{Change, LoraFile};
use maquette_core::{Digest, Lora};
use maquette_kernels as ops;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Files that are remembered: a sweep that goes back and forth among a few reads each once.
const FILES: usize = 4;

/// The LoRAs of a loaded model.
///
/// What it costs: the untouched weights of the layers that are changed now are kept, so that any other weight, and none,
/// starts from them and not from what rounding left; that is at most the text encoder and the UNet once more. Of the
/// files their factors are kept, a hundredth of that. Their products are not: computing them again takes less than a
/// second, and keeping them would cost the whole model for each LoRA.
pub(crate) struct Loras {
    files: Cache<Digest, Arc<LoraFile>>,
    /// Untouched weights of the layers that are changed now.
    untouched: BTreeMap<String, Tensor>,
    applied: Key,
    of_text: Key,
}

/// Which LoRAs act, and the bits of their weights, in their order; those of weight 0 do not count.
pub(crate) type Key = Vec<(Digest, u64)>;

/// What tells one set of LoRAs from another.
pub(crate) fn key(loras: &[Lora]) -> Key {
    acting(loras).map(|lora| (lora.file.digest, lora.weight.to_bits())).collect()
}

fn acting(loras: &[Lora]) -> impl Iterator<Item = &Lora> {
    loras.iter().filter(|lora| lora.weight != 0.0)
}

/// Refuses a file that is no LoRA of a supported kind, by its header alone: whether it fits is seen with the model.
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
        Loras {
            files: Cache::new(FILES),
            untouched: BTreeMap::new(),
            applied: Key::new(),
            of_text: Key::new(),
        }
    }

    /// Makes a model's layers compute with these LoRAs and no others. After an error they compute without any.
    pub(crate) fn apply(&mut self, layers: &Layers, loras: &[Lora]) -> std::result::Result<(), LoraError> {
        let wanted = key(loras);
        if wanted == self.applied {
            return Ok(());
        }
        let mut files = Vec::new();
        for lora in acting(loras) {
            let file = self
                .files
                .get_or_try(&lora.file.digest, || LoraFile::open(&lora.file.file, layers).map(Arc::new));
            files.push((lora.weight, file.inspect_err(|_| self.take_off(layers))?));
        }
        let touched: BTreeSet<&str> = files.iter().flat_map(|(_, file)| file.layers()).collect();
        self.untouched.retain(|name, tensor| {
            let stays = touched.contains(name.as_str());
            if !stays && let Some(layer) = layers.get(name) {
                layer.weight.set(tensor.clone());
            }
            stays
        });
        for name in touched {
            let Some(layer) = layers.get(name) else { continue };
            let untouched = self.untouched.entry(name.to_owned()).or_insert_with(|| layer.weight.get());
            let changes = files.iter().filter_map(|(weight, file)| Some((*weight, file.change(name)?)));
            match merged(layer, untouched, changes) {
                Ok(tensor) => layer.weight.set(tensor),
                Err(source) => {
                    self.take_off(layers);
                    return Err(LoraError::Device { source });
                }
            }
        }
        let of_text = wanted.iter().zip(&files).filter(|(_, (_, file))| file.changes_text());
        self.of_text = of_text.map(|(key, _)| *key).collect();
        self.applied = wanted;
        Ok(())
    }

    /// What of the LoRAs acting now concerns the text encoders: embeddings made under another key are of no use.
    pub(crate) fn of_text(&self) -> &Key {
        &self.of_text
    }

    fn take_off(&mut self, layers: &Layers) {
        for (name, tensor) in std::mem::take(&mut self.untouched) {
            if let Some(layer) = layers.get(&name) {
                layer.weight.set(tensor);
            }
        }
        self.applied.clear();
        self.of_text.clear();
    }
}

/// A layer's weight with changes, in the layout and the dtype of the weight without.
fn merged<'a>(
    layer: &Layer,
    untouched: &Tensor,
    changes: impl Iterator<Item = (f64, &'a Change)>,
) -> Result<Tensor> {
    let mut sum = untouched.to_dtype(DType::F32)?;
    for (weight, change) in changes {
        let device = untouched.device();
        let factor = |tensor: &Tensor| tensor.to_device(device)?.to_dtype(DType::F32);
        let (down, up) = (factor(&change.down)?, factor(&change.up)?);
        let down = match &change.mid {
            None => down,
            Some(mid) => folded(&factor(mid)?, &down)?,
        };
        // A linear layer keeps its weight transposed.
        let product = match layer.kernel {
            None => ops::product(&down.t()?, &up.t()?)?,
            Some(_) => ops::product(&up, &down)?,
        };
        sum = (sum + (product * (weight * change.scale))?.reshape(untouched.shape())?)?;
    }
    // On the CPU half precision is rounding: the values are those of the dtype, held in f32.
    sum.to_dtype(layer.dtype)?.to_dtype(untouched.dtype())
}

/// One `[rank, inputs * k * k]` of a `[rank, inner, k, k]` in the middle and a `[inner, inputs]` below it: two
/// convolutions without anything between them are one.
fn folded(mid: &Tensor, down: &Tensor) -> Result<Tensor> {
    let (rank, inner, height, width) = mid.dims4()?;
    let inputs = down.dim(1)?;
    let mid = mid.permute((0, 2, 3, 1))?.reshape((rank * height * width, inner))?;
    let both = ops::product(&mid, down)?.reshape((rank, height, width, inputs))?;
    both.permute((0, 3, 1, 2))?.reshape((rank, inputs * height * width))
}
