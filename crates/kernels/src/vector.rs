//! A vector parameter of a layer, a bias or the scale of a norm: the base as loaded, and differences added to it.
//!
//! Not here: matrices, which have low-rank branches as well (`weight.rs`).

use candle_core::{DType, Result, Tensor};
use std::sync::{Arc, PoisonError, RwLock};

/// A layer's vector. Clones are handles to the same vector: a change through one of them affects the layer.
#[derive(Debug, Clone)]
pub struct Vector(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    base: Tensor,
    current: RwLock<Tensor>,
}

impl Vector {
    /// A vector `[channels]`.
    pub fn new(base: Tensor) -> Vector {
        let current = RwLock::new(base.clone());
        Vector(Arc::new(Shared { base, current }))
    }

    /// The vector as loaded.
    pub fn base(&self) -> &Tensor {
        &self.0.base
    }

    /// Makes the layer compute with the base plus each difference times its factor; without differences, with the base.
    ///
    /// The sum is computed in f32 at least and rounded once. After an error the vector is unchanged.
    pub fn add(&self, differences: &[(&Tensor, f64)]) -> Result<()> {
        let base = &self.0.base;
        let mut sum = base.clone();
        if !differences.is_empty() {
            let wide = if base.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
            sum = sum.to_dtype(wide)?;
            for (difference, factor) in differences {
                let difference = difference.to_device(base.device())?.to_dtype(wide)?;
                sum = (sum + (difference * *factor)?)?;
            }
            sum = sum.to_dtype(base.dtype())?;
        }
        // Replaced as a whole, so it is valid even after a panic.
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = sum;
        Ok(())
    }

    /// The vector that the layer computes with.
    pub(crate) fn current(&self) -> Tensor {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
