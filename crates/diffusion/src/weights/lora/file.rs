//! A LoRA, matched to a model: for each layer that it changes, the change.
//!
//! A LoRA with an unknown key or a factor of the wrong shape is refused as a whole.

use super::adapter::{self, AdapterFile};
use super::change::Change;
use super::error::{LoraError, other_base};
use super::factors::Factors;
use super::fit::Fitting;
use super::fused;
use super::keys;
use super::names::{Found, Names};
use crate::weights::lora::targets::Targets;
use crate::weights::small_file::{self, SmallFileError};
use candle_core::Tensor;
use maquette_files::limits;
use std::collections::BTreeMap;
use std::path::Path;

/// A LoRA that fits a model.
pub(super) struct LoraFile {
    /// The changes by layer name.
    changes: BTreeMap<String, Change>,
    /// The textual inversions in it.
    pub embeddings: Embeddings,
}

/// The textual inversions in a LoRA: their tensors as in a file of their own, by word.
pub(super) type Embeddings = BTreeMap<String, Vec<(String, Tensor)>>;

impl LoraFile {
    /// Reads a LoRA and matches it to a model's layers.
    pub(super) fn open(path: &Path, targets: &Targets) -> Result<LoraFile, LoraError> {
        let (mut changes, mut embeddings) = (BTreeMap::new(), Embeddings::new());
        let names = Names::of(targets);
        for AdapterFile { path, part } in adapter::files(path)? {
            let name = path.display().to_string();
            let content = small_file::parse(&name, &small_file::read(&path, limits::WEIGHTS)?)?;
            let base = other_base(&content, &targets.layers);
            let all: Vec<String> = content.tensors.keys().cloned().collect();
            let alphas = adapter::alphas(&path, &all, &content.metadata)?;
            let mut modules: BTreeMap<&str, Factors<Tensor>> = BTreeMap::new();
            // Those that are rows of several layers, by their names in the file.
            let mut fused: BTreeMap<String, (&Found, Factors<Tensor>)> = BTreeMap::new();
            for (key, tensor) in content.tensors {
                if let Some((word, tensor_name)) = keys::embedding(&key) {
                    embeddings.entry(word.to_owned()).or_default().push((tensor_name.to_owned(), tensor));
                    continue;
                }
                if let Some(kind) = keys::unsupported(&key) {
                    return Err(LoraError::Kind { file: name, key, kind });
                }
                let parsed = keys::parse(&key);
                let found =
                    parsed.and_then(|(module, factor)| Some((names.find(part, module)?, module, factor)));
                match found {
                    None => return Err(LoraError::Key { file: name, key, hint: base }),
                    Some((Found::One(layer), _, factor)) => {
                        modules.entry(layer).or_default().add(&name, layer, factor, key, tensor)?;
                    }
                    Some((found, module, factor)) => {
                        let module = module.to_owned();
                        let (_, factors) =
                            fused.entry(module.clone()).or_insert_with(|| (found, Factors::default()));
                        factors.add(&name, &module, factor, key, tensor)?;
                    }
                }
            }
            for (layer, factors) in modules {
                let fitting = Fitting { file: &name, name: layer, hint: &base, alphas: &alphas };
                let change = match (targets.layers.get(layer), targets.norms.get(layer)) {
                    (Some(layer), _) => fitting.layer(layer, factors)?,
                    (None, Some(norm)) => fitting.norm(norm, factors)?,
                    (None, None) => continue,
                };
                changes.insert(layer.to_owned(), change);
            }
            for (module, (found, factors)) in fused {
                let key = factors.any_key().unwrap_or_default().to_owned();
                let fitting = Fitting { file: &name, name: &module, hint: &base, alphas: &alphas };
                for (layer, change) in fused_changes(&fitting, targets, found, factors, &key)? {
                    if changes.insert(layer.to_owned(), change).is_some() {
                        let other = format!("a tensor of {layer} alone");
                        return Err(LoraError::Twice { file: name, key, other, layer: layer.to_owned() });
                    }
                }
            }
        }
        if changes.is_empty() && embeddings.is_empty() {
            return Err(LoraError::Empty { file: path.display().to_string() });
        }
        Ok(LoraFile { changes, embeddings })
    }

    /// The names of the layers that it changes.
    pub(super) fn layers(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }

    /// The change of a layer.
    pub(super) fn change(&self, layer: &str) -> Option<&Change> {
        self.changes.get(layer)
    }

    /// Whether it changes what encodes prompts: a text encoder, or Anima's conditioner.
    pub(super) fn changes_text(&self) -> bool {
        self.layers().any(|layer| is_text(layer) || layer.starts_with(CONDITIONER))
    }
}

/// The changes of the layers that have rows of one module.
fn fused_changes<'a>(
    fitting: &Fitting,
    targets: &Targets,
    found: &Found<'a>,
    factors: Factors<Tensor>,
    key: &str,
) -> Result<Vec<(&'a str, Change)>, LoraError> {
    let Found::Rows(layers) = found else { return Ok(Vec::new()) };
    let layers: Vec<_> =
        layers.iter().filter_map(|(name, rows)| Some((*name, targets.layers.get(*name)?, *rows))).collect();
    let Some((_, first, rows)) = layers.first() else { return Ok(Vec::new()) };
    let change = fitting.layer(&fused::whole(first, *rows), factors)?;
    let part = |(name, layer, rows)| match fused::rows(&change, layer, rows)? {
        Some(part) => Ok((name, part)),
        None => {
            let kind = "part of a DoRA with norms for the inputs of queries, keys and values together";
            Err(LoraError::Kind { file: fitting.file.to_owned(), key: key.to_owned(), kind })
        }
    };
    layers.into_iter().map(part).collect()
}

/// What layers of Anima's conditioner begin with. It is a part of the transformer in the files of its authors, so that the weight of
/// the transformer applies to it.
const CONDITIONER: &str = "text_conditioner.";

/// Whether a layer is one of a text encoder.
pub(super) fn is_text(layer: &str) -> bool {
    layer.starts_with("text_encoder")
}

/// Refuses a LoRA that no model can use, by its headers: an unsupported kind, tensors without their counterparts, a peft
/// adapter without its configuration. Whether it fits a model is checked with the model.
pub fn check(path: &Path) -> Result<(), LoraError> {
    for AdapterFile { path, .. } in adapter::files(path)? {
        let file = path.display().to_string();
        let (keys, metadata) = small_file::header_of(&file, &small_file::read(&path, limits::WEIGHTS)?)?;
        adapter::alphas(&path, &keys, &metadata)?;
        let mut modules: BTreeMap<String, Factors<()>> = BTreeMap::new();
        for key in keys {
            if let Some(kind) = keys::unsupported(&key) {
                return Err(LoraError::Kind { file, key, kind });
            }
            // Anything else that is no factor may be of another model, which the error with the model says.
            if let Some((module, factor)) = keys::parse(&key) {
                let module = module.to_owned();
                modules.entry(module.clone()).or_default().add(&file, &module, factor, key, ())?;
            }
        }
        for (module, factors) in modules {
            factors.kind(&file, &module)?;
        }
    }
    Ok(())
}

/// Whether a LoRA has textual inversions; a file that cannot be read has none.
pub fn has_embeddings(path: &Path) -> bool {
    let keys = small_file::read(path, limits::WEIGHTS)
        .and_then(|bytes| small_file::keys(&path.display().to_string(), &bytes));
    keys.is_ok_and(|keys| keys.iter().any(|key| keys::embedding(key).is_some()))
}

/// The textual inversions in a LoRA; its other tensors are not looked at.
pub(super) fn embeddings(path: &Path) -> Result<Embeddings, SmallFileError> {
    let mut embeddings = Embeddings::new();
    if !has_embeddings(path) {
        return Ok(embeddings);
    }
    for (key, tensor) in
        small_file::parse(&path.display().to_string(), &small_file::read(path, limits::WEIGHTS)?)?.tensors
    {
        if let Some((word, tensor_name)) = keys::embedding(&key) {
            embeddings.entry(word.to_owned()).or_default().push((tensor_name.to_owned(), tensor));
        }
    }
    Ok(embeddings)
}
