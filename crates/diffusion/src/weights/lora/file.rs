//! A LoRA file, matched to a model: for each layer that it changes, the factors of the change.
//!
//! A file with an unknown key or a factor of the wrong shape is refused as a whole.

use super::error::{LoraError, other_base};
use super::keys::{self, Factor};
use super::names::Names;
use crate::weights::lora::targets::{Layer, Layers};
use crate::weights::small_file;
use crate::weights::small_file::SmallFile;
use candle_core::{DType, Tensor};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// A LoRA that fits a model.
pub(super) struct LoraFile {
    /// The changes by layer name.
    changes: BTreeMap<String, Change>,
}

/// The change of one layer, on the CPU and in the file's dtype.
pub(super) struct Change {
    /// `[rank, inputs]`, `[rank, inputs, kernel, kernel]` of a convolution, or `[inner, inputs]` below a `mid`.
    pub down: Tensor,
    /// `[rank, inner, kernel, kernel]`
    pub mid: Option<Tensor>,
    /// `[outputs, rank]`
    pub up: Tensor,
    /// alpha / rank
    pub scale: f64,
}

/// The tensors of one module, each with its key.
#[derive(Default)]
struct Factors {
    down: Option<(String, Tensor)>,
    mid: Option<(String, Tensor)>,
    up: Option<(String, Tensor)>,
    alpha: Option<(String, Tensor)>,
}

impl LoraFile {
    /// Reads a file and matches it to a model's layers.
    pub(super) fn open(path: &Path, layers: &Layers) -> Result<LoraFile, LoraError> {
        let name = path.display().to_string();
        let bytes = small_file::read(path)?;
        LoraFile::fit(&name, small_file::parse(&name, &bytes)?, layers)
    }

    fn fit(file: &str, content: SmallFile, layers: &Layers) -> Result<LoraFile, LoraError> {
        let base = other_base(&content, layers);
        let alphas = Alphas::read(file, &content)?;
        let names = Names::of(layers);
        let mut modules: BTreeMap<&str, Factors> = BTreeMap::new();
        for (key, tensor) in content.tensors {
            if let Some(kind) = keys::other_kind(&key) {
                return Err(LoraError::Kind { file: file.to_owned(), key, kind });
            }
            let found = keys::parse(&key).and_then(|(module, factor)| Some((names.find(module)?, factor)));
            let Some((layer, factor)) = found else {
                return Err(LoraError::Key { file: file.to_owned(), key, hint: base });
            };
            let factors = modules.entry(layer).or_default();
            let place = match factor {
                Factor::Down => &mut factors.down,
                Factor::Mid => &mut factors.mid,
                Factor::Up => &mut factors.up,
                Factor::Alpha => &mut factors.alpha,
            };
            if let Some((other, _)) = place.replace((key.clone(), tensor)) {
                return Err(LoraError::Twice { file: file.to_owned(), key, other, layer: layer.to_owned() });
            }
        }
        if modules.is_empty() {
            return Err(LoraError::Empty { file: file.to_owned() });
        }
        let mut changes = BTreeMap::new();
        for (name, factors) in modules {
            let Some(layer) = layers.get(name) else { continue };
            let fitting = Fitting { file, name, layer, hint: &base };
            changes.insert(name.to_owned(), fitting.change(factors, &alphas)?);
        }
        Ok(LoraFile { changes })
    }

    /// The names of the layers that it changes.
    pub(super) fn layers(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }

    /// The change of a layer.
    pub(super) fn change(&self, layer: &str) -> Option<&Change> {
        self.changes.get(layer)
    }

    /// Whether it changes a text encoder.
    pub(super) fn changes_text(&self) -> bool {
        self.layers().any(|layer| layer.starts_with("text_encoder"))
    }
}

/// One layer that tensors are checked against.
struct Fitting<'a> {
    file: &'a str,
    name: &'a str,
    layer: &'a Layer,
    hint: &'a str,
}

impl Fitting<'_> {
    fn change(&self, factors: Factors, alphas: &Alphas) -> Result<Change, LoraError> {
        let Factors { down, mid, up, alpha } = factors;
        let missing = |key: String, missing| LoraError::Half {
            file: self.file.to_owned(),
            key,
            layer: self.name.to_owned(),
            missing,
        };
        let (down, up) = match (down, up) {
            (Some(down), Some(up)) => (down, up),
            (Some((key, _)), None) => return Err(missing(key, "up")),
            (None, Some((key, _))) => return Err(missing(key, "down")),
            (None, None) => {
                let key = alpha.or(mid).map_or_else(String::new, |(key, _)| key);
                return Err(missing(key, "down and up"));
            }
        };
        let &Layer { inputs, outputs, kernel, .. } = self.layer;
        let kernel = kernel.unwrap_or(1);
        let rank = up.1.dims().get(1).copied().unwrap_or(0);
        let inner = down.1.dims().first().copied().unwrap_or(0);
        // The kernel belongs to `mid` if there is one, otherwise to `down`.
        let below = if mid.is_some() { 1 } else { kernel };
        let up = self.fitted(up, &[outputs, rank], &[outputs, rank, 1, 1])?;
        let down = match (&mid, inner == rank) {
            (None, false) => return Err(self.shape(&down.0, &down.1, &[rank, inputs, below, below])),
            _ => self.fitted(down, &[inner, inputs * below * below], &[inner, inputs, below, below])?,
        };
        let is_kernel = self.layer.kernel.is_some() && mid.is_none();
        let down = if is_kernel { down.reshape((inner, inputs, below, below))? } else { down };
        let mid = match mid {
            None => None,
            Some(mid) => {
                let shape = [rank, inner, kernel, kernel];
                Some(self.fitted(mid, &shape, &shape)?)
            }
        };
        if rank == 0 || inner == 0 {
            return Err(LoraError::Empty { file: self.file.to_owned() });
        }
        let alpha = match alpha {
            Some((key, tensor)) => self.number(&key, &tensor)?,
            None => alphas.of(self.name, rank),
        };
        Ok(Change { down, mid, up, scale: alpha / rank as f64 })
    }

    /// A tensor of shape `full`, or of `flat` with as many values; the result has shape `flat`.
    fn fitted(
        &self,
        (key, tensor): (String, Tensor),
        flat: &[usize],
        full: &[usize],
    ) -> Result<Tensor, LoraError> {
        if tensor.dims() != flat && tensor.dims() != full {
            return Err(self.shape(&key, &tensor, full));
        }
        Ok(tensor.reshape(flat)?)
    }

    fn shape(&self, key: &str, tensor: &Tensor, expected: &[usize]) -> LoraError {
        let expected = expected.strip_suffix(&[1, 1]).unwrap_or(expected);
        LoraError::Shape {
            file: self.file.to_owned(),
            key: key.to_owned(),
            found: tensor.dims().into(),
            layer: self.name.to_owned(),
            expected: expected.into(),
            hint: self.hint.into(),
        }
    }

    fn number(&self, key: &str, tensor: &Tensor) -> Result<f64, LoraError> {
        match tensor.elem_count() {
            1 => Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?[0]),
            _ => Err(self.shape(key, tensor, &[])),
        }
    }
}

/// Alphas in the header, where diffusers stores peft's configuration; without one, alpha is the rank.
struct Alphas(Map<String, Value>);

impl Alphas {
    fn read(file: &str, content: &SmallFile) -> Result<Alphas, LoraError> {
        const KEY: &str = "lora_adapter_metadata";
        let Some(text) = content.metadata.get(KEY) else { return Ok(Alphas(Map::new())) };
        let config: Map<String, Value> = serde_json::from_str(text)
            .map_err(|source| LoraError::Metadata { file: file.to_owned(), key: KEY, source })?;
        let dora =
            config.iter().find(|(key, value)| key.ends_with("use_dora") && **value == Value::Bool(true));
        match dora {
            Some((key, _)) => {
                Err(LoraError::Kind { file: file.to_owned(), key: key.clone(), kind: "a DoRA" })
            }
            None => Ok(Alphas(config)),
        }
    }

    /// The alpha of a layer of this rank.
    fn of(&self, layer: &str, rank: usize) -> f64 {
        let rank = rank as f64;
        let (part, module) = layer.split_once('.').unwrap_or(("", layer));
        let get = |key: &str| self.0.get(&format!("{part}.{key}"));
        // The pattern's keys are suffixes of names.
        let of_module = |(key, value): (&String, &Value)| {
            let fits =
                module.strip_suffix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            value.as_f64().filter(|_| fits)
        };
        let pattern = get("alpha_pattern").and_then(Value::as_object);
        let alpha = pattern
            .and_then(|pattern| pattern.iter().find_map(of_module))
            .or_else(|| get("lora_alpha").and_then(Value::as_f64));
        match alpha {
            // Rank-stabilised: alpha over the root of the rank (arXiv 2312.03732).
            Some(alpha) if get("use_rslora") == Some(&Value::Bool(true)) => alpha * rank.sqrt(),
            Some(alpha) => alpha,
            None => rank,
        }
    }
}
