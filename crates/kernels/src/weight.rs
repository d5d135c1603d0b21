//! The weight of a layer: the base weight as loaded, and changes of it, merged into it or, if low-rank, kept separate.
//!
//! Not here: which changes a layer has; see `lora` in the engine.

use crate::branch::Branch;
use crate::set::Kernels;
use candle_core::{DType, Result, Tensor};
use std::sync::{Arc, PoisonError, RwLock};

/// A layer's weight. Clones are handles to the same weight: a change through one of them affects the layer.
///
/// The base never changes. Changes are applied in one of two ways: [`Weight::merge`] adds them to a copy of the base, so
/// that the layer is as fast as without them; [`Weight::set_branches`] keeps low-rank ones separate, so that each call
/// computes them from tensors that may be trained.
#[derive(Debug, Clone)]
pub struct Weight(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kernels: &'static dyn Kernels,
    dtype: DType,
    base: Tensor,
    state: RwLock<State>,
}

/// A change of a weight that can be merged into it.
#[derive(Debug, Clone)]
pub enum Change {
    /// The product of two factors.
    LowRank(Branch),
    /// `difference` times `scale`.
    Full {
        /// In the layout of files: `[outputs, inputs]`, or `[outputs, inputs, kernel, kernel]` of a convolution.
        difference: Tensor,
        /// Its factor.
        scale: f64,
    },
}

/// The tensors that a layer currently computes with.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The base, or the base with branches merged into it.
    pub weight: Tensor,
    /// Branches whose results are added to the layer's.
    pub branches: Arc<[Branch]>,
}

impl Weight {
    /// A weight, `[inputs, outputs]` of a linear layer or `[outputs, inputs, kernel, kernel]` of a convolution, of a
    /// model in `dtype`, which may be narrower than the tensor's (see [`Kernels::storage_dtype`]). A weight in the
    /// layout of [`Kernels::storage_layout`] needs no copy in each call.
    pub fn new(kernels: &'static dyn Kernels, base: Tensor, dtype: DType) -> Weight {
        let state = RwLock::new(State { weight: base.clone(), branches: Arc::from([]) });
        Weight(Arc::new(Shared { kernels, dtype, base, state }))
    }

    /// The weight as loaded, without changes.
    pub fn base(&self) -> &Tensor {
        &self.0.base
    }

    /// The kernels that its layer computes with.
    pub fn kernels(&self) -> &'static dyn Kernels {
        self.0.kernels
    }

    /// Makes the layer compute with the base and these changes merged into one weight; without changes, with the base.
    ///
    /// The sum is computed in the kernels' accumulation dtype and rounded to the model's dtype once. After an error the
    /// layer's weight is unchanged.
    pub fn merge(&self, changes: &[Change]) -> Result<()> {
        let Shared { kernels, dtype, base, .. } = &*self.0;
        let mut weight = base.clone();
        if !changes.is_empty() {
            let mut sum = base.to_dtype(kernels.accumulation_dtype(*dtype))?;
            for change in changes {
                sum = (&sum + change.difference(*kernels, &sum)?)?;
            }
            weight = kernels.storage_layout(sum.to_dtype(*dtype)?.to_dtype(base.dtype())?)?;
        }
        self.set(State { weight, branches: Arc::from([]) });
        Ok(())
    }

    /// Makes the layer compute with the base and these separate branches.
    pub fn set_branches(&self, branches: Vec<Branch>) {
        self.set(State { weight: self.0.base.clone(), branches: branches.into() });
    }

    pub(crate) fn state(&self) -> State {
        // The state is replaced as a whole, so it is valid even after a panic.
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Change {
    /// The change of a weight like `like`, in its layout, on its device and in its dtype.
    fn difference(&self, kernels: &dyn Kernels, like: &Tensor) -> Result<Tensor> {
        match self {
            Change::LowRank(branch) => branch.product(kernels, like),
            Change::Full { difference, scale } => {
                let difference = difference.to_device(like.device())?.to_dtype(like.dtype())?;
                let difference = if like.rank() == 2 { difference.t()? } else { difference };
                difference * *scale
            }
        }
    }
}
