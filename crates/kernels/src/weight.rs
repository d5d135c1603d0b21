//! A weight that can be exchanged while its model stays loaded.
//!
//! Not here: what is put in its place, and when; see `lora`.

use candle_core::Tensor;
use std::sync::{Arc, PoisonError, RwLock};

/// A layer's weight. Copies are handles to the same place: what one of them sets, the layer computes with.
#[derive(Clone)]
pub struct Weight(Arc<RwLock<Tensor>>);

impl Weight {
    /// A weight with these numbers.
    pub fn new(tensor: Tensor) -> Weight {
        Weight(Arc::new(RwLock::new(tensor)))
    }

    /// What the layer computes with now.
    pub fn get(&self) -> Tensor {
        // A tensor is exchanged whole, so that one left by a panic is as good as any.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another tensor of the same shape in its place.
    pub fn set(&self, tensor: Tensor) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tensor;
    }
}
