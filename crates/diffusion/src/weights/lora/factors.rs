//! The tensors of one module of a LoRA: which kind of change they are, and whether any is missing.
//!
//! Not here: their shapes, which depend on the model's layer (`fit.rs`).

use super::error::LoraError;
use super::keys::Factor;
use std::collections::BTreeMap;

/// How a module changes a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// LoRA, LoCon.
    LowRank,
    /// LoHa.
    Hadamard,
    /// LoKr.
    Kronecker,
    /// The whole difference.
    Full,
}

/// The tensors of one module, each with its key.
pub(super) struct Factors<T>(BTreeMap<Factor, (String, T)>);

impl<T> Default for Factors<T> {
    fn default() -> Factors<T> {
        Factors(BTreeMap::new())
    }
}

impl<T> Factors<T> {
    /// Adds a tensor of the layer or module `layer`.
    pub(super) fn add(
        &mut self,
        file: &str,
        layer: &str,
        factor: Factor,
        key: String,
        tensor: T,
    ) -> Result<(), LoraError> {
        match self.0.insert(factor, (key.clone(), tensor)) {
            None => Ok(()),
            Some((other, _)) => {
                Err(LoraError::Twice { file: file.to_owned(), key, other, layer: layer.to_owned() })
            }
        }
    }

    /// Removes a tensor.
    pub(super) fn take(&mut self, factor: Factor) -> Option<(String, T)> {
        self.0.remove(&factor)
    }

    fn key(&self, factor: Factor) -> Option<&str> {
        self.0.get(&factor).map(|(key, _)| key.as_str())
    }

    /// Whether it has a tensor.
    pub(super) fn has(&self, factor: Factor) -> bool {
        self.0.contains_key(&factor)
    }

    /// Any of the keys.
    pub(super) fn any_key(&self) -> Option<&str> {
        self.0.values().next().map(|(key, _)| key.as_str())
    }

    /// How the weight changes; `None` if only the bias does. An incomplete set of tensors is an error.
    pub(super) fn kind(&self, file: &str, layer: &str) -> Result<Option<Kind>, LoraError> {
        use Factor::*;
        const KINDS: [(Kind, &[Factor]); 4] = [
            (Kind::LowRank, &[Down, Up, Mid, UpBias]),
            (Kind::Hadamard, &[HadaW1A, HadaW1B, HadaT1, HadaW2A, HadaW2B, HadaT2]),
            (Kind::Kronecker, &[LokrW1, LokrW1A, LokrW1B, LokrW2, LokrW2A, LokrW2B, LokrT2]),
            (Kind::Full, &[Diff]),
        ];
        let found = |(kind, factors): &(Kind, &[Factor])| {
            Some((*kind, factors.iter().find_map(|factor| self.key(*factor))?))
        };
        let mut kinds = KINDS.iter().filter_map(found);
        let half = |key: &str, missing| {
            let (file, key, layer) = (file.to_owned(), key.to_owned(), layer.to_owned());
            Err(LoraError::Half { file, key, layer, missing })
        };
        let Some((kind, key)) = kinds.next() else {
            return match (self.has(DiffB), self.any_key()) {
                (false, Some(key)) => half(key, "factors"),
                _ => Ok(None),
            };
        };
        if let Some((_, other)) = kinds.next() {
            let (key, other) = (key.to_owned(), other.to_owned());
            return Err(LoraError::Mixed { file: file.to_owned(), key, other, layer: layer.to_owned() });
        }
        let lacks = |factor| !self.has(factor);
        let missing = match kind {
            Kind::LowRank if lacks(Down) && lacks(Up) => Some("down and up"),
            Kind::LowRank if lacks(Up) => Some("up"),
            Kind::LowRank if lacks(Down) => Some("down"),
            Kind::Hadamard if [HadaW1A, HadaW1B, HadaW2A, HadaW2B].into_iter().any(lacks) => {
                Some("complete set of `hada_w1_a`, `hada_w1_b`, `hada_w2_a` and `hada_w2_b`")
            }
            Kind::Hadamard if lacks(HadaT1) != lacks(HadaT2) => Some("other of `hada_t1` and `hada_t2`"),
            Kind::Kronecker if lacks(LokrW1) && (lacks(LokrW1A) || lacks(LokrW1B)) => {
                Some("`lokr_w1`, or `lokr_w1_a` and `lokr_w1_b`,")
            }
            Kind::Kronecker if lacks(LokrW2) && (lacks(LokrW2A) || lacks(LokrW2B)) => {
                Some("`lokr_w2`, or `lokr_w2_a` and `lokr_w2_b`,")
            }
            _ => None,
        };
        match missing {
            Some(missing) => half(key, missing),
            None => Ok(Some(kind)),
        }
    }
}
