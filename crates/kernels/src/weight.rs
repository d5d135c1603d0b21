//! The weight of a layer: the base weight, in memory or read when it is needed, and changes of it, merged into it or, if
//! low-rank, kept separate.
//!
//! Not here: which changes a layer has; see `lora` in the engine.

use crate::branch::Branch;
use crate::set::Kernels;
use candle_core::{DType, Device, Result, Tensor};
use std::fmt::Debug;
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
    base: Base,
    state: RwLock<State>,
}

/// Where the base is.
#[derive(Debug)]
enum Base {
    InMemory(Tensor),
    Stored(Arc<dyn StoredWeight>),
}

/// A weight outside of the memory for weights, such as in a file.
pub trait StoredWeight: Debug + Send + Sync {
    /// The weight on its device, in the layout of [`Kernels::storage_layout`]; the same each time.
    fn read(&self) -> Result<Tensor>;

    /// Its device.
    fn device(&self) -> &Device;

    /// The bytes that it takes in memory.
    fn size(&self) -> u64;

    /// Begins to bring it nearer, without waiting for it, where that is possible.
    fn prefetch(&self) {}
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

/// What a layer currently computes with.
#[derive(Debug, Clone)]
struct State {
    /// The base, or the base with changes merged into it; `None` for one that each call makes.
    weight: Option<Tensor>,
    /// What is merged into a base that is not in memory.
    changes: Arc<[Change]>,
    /// Branches whose results are added to the layer's.
    branches: Arc<[Branch]>,
}

/// The tensors of one call.
#[derive(Debug, Clone)]
pub(crate) struct Operands {
    pub weight: Tensor,
    pub branches: Arc<[Branch]>,
}

impl Weight {
    /// A weight, `[inputs, outputs]` of a linear layer or `[outputs, inputs, kernel, kernel]` of a convolution, of a
    /// model in `dtype`, which may be narrower than the tensor's (see [`Kernels::storage_dtype`]). A weight in the
    /// layout of [`Kernels::storage_layout`] needs no copy in each call.
    pub fn new(kernels: &'static dyn Kernels, base: Tensor, dtype: DType) -> Weight {
        Weight::of(kernels, Base::InMemory(base.clone()), Some(base), dtype)
    }

    /// The same weight, which is not in memory until [`Weight::load`]; before, each call of its layer reads it.
    pub fn stored(kernels: &'static dyn Kernels, base: Arc<dyn StoredWeight>, dtype: DType) -> Weight {
        Weight::of(kernels, Base::Stored(base), None, dtype)
    }

    fn of(kernels: &'static dyn Kernels, base: Base, weight: Option<Tensor>, dtype: DType) -> Weight {
        let state = RwLock::new(State { weight, changes: Arc::from([]), branches: Arc::from([]) });
        Weight(Arc::new(Shared { kernels, dtype, base, state }))
    }

    /// The weight as loaded, without changes.
    pub fn base(&self) -> Result<Tensor> {
        match &self.0.base {
            Base::InMemory(base) => Ok(base.clone()),
            Base::Stored(base) => base.read(),
        }
    }

    /// The device that its layer computes on.
    pub fn device(&self) -> &Device {
        match &self.0.base {
            Base::InMemory(base) => base.device(),
            Base::Stored(base) => base.device(),
        }
    }

    /// The kernels that its layer computes with.
    pub fn kernels(&self) -> &'static dyn Kernels {
        self.0.kernels
    }

    /// Keeps the weight that its layer computes with in memory, until it is released.
    pub fn load(&self) -> Result<()> {
        let state = self.state();
        let weight = Some(self.current(&state)?);
        self.set(State { weight, ..state });
        Ok(())
    }

    /// Drops the weight from memory, if it can be read again.
    pub fn release(&self) {
        if let Base::Stored(_) = self.0.base {
            self.set(State { weight: None, ..self.state() });
        }
    }

    /// The bytes that [`Weight::load`] would take; 0 if it is in memory.
    pub fn size_to_load(&self) -> u64 {
        match &self.0.base {
            Base::Stored(base) if !self.is_loaded() => base.size(),
            Base::Stored(_) | Base::InMemory(_) => 0,
        }
    }

    /// Prepares for [`Weight::load`] in the background, where that is possible.
    pub fn prefetch(&self) {
        match &self.0.base {
            Base::Stored(base) if !self.is_loaded() => base.prefetch(),
            Base::Stored(_) | Base::InMemory(_) => {}
        }
    }

    /// Whether the weight that its layer computes with is in memory.
    pub fn is_loaded(&self) -> bool {
        self.state().weight.is_some()
    }

    /// Makes the layer compute with the base and these changes merged into one weight; without changes, with the base.
    ///
    /// The sum is computed in the kernels' accumulation dtype and rounded to the model's dtype once. After an error the
    /// layer's weight is unchanged.
    pub fn merge(&self, changes: &[Change]) -> Result<()> {
        let state = State { changes: changes.into(), branches: Arc::from([]), weight: None };
        let weight = match self.0.base {
            // One that is not in memory is made by each call.
            Base::Stored(_) if !self.is_loaded() => None,
            _ => Some(self.current(&state)?),
        };
        self.set(State { weight, ..state });
        Ok(())
    }

    /// Makes the layer compute with the base and these separate branches.
    pub fn set_branches(&self, branches: Vec<Branch>) {
        let weight = match &self.0.base {
            Base::InMemory(base) => Some(base.clone()),
            Base::Stored(_) => None,
        };
        self.set(State { weight, changes: Arc::from([]), branches: branches.into() });
    }

    /// The tensors that the layer currently computes with.
    pub(crate) fn operands(&self) -> Result<Operands> {
        let state = self.state();
        Ok(Operands { weight: self.current(&state)?, branches: state.branches })
    }

    /// The base with the changes of a state.
    fn current(&self, state: &State) -> Result<Tensor> {
        if let Some(weight) = &state.weight {
            return Ok(weight.clone());
        }
        let (Shared { kernels, dtype, .. }, base) = (&*self.0, self.base()?);
        if state.changes.is_empty() {
            return Ok(base);
        }
        let mut sum = base.to_dtype(kernels.accumulation_dtype(*dtype))?;
        for change in &*state.changes {
            sum = (&sum + change.difference(*kernels, &sum)?)?;
        }
        kernels.storage_layout(sum.to_dtype(*dtype)?.to_dtype(base.dtype())?)
    }

    fn state(&self) -> State {
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
