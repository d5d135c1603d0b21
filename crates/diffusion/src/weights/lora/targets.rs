//! Every layer and norm of a model by name, with handles to their parameters; a LoRA's keys are looked up here.
//!
//! Names are diffusers': the part, then the module, such as `unet.mid_block.attentions.0.proj_in`. Not here: embeddings,
//! the autoencoder.

use maquette_kernels::{Vector, Weight};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The layers of a model that LoRA can change, by name.
pub type Layers = BTreeMap<String, Layer>;

/// One linear layer or convolution of a model.
#[derive(Clone)]
pub struct Layer {
    /// `[inputs, outputs]` of a linear layer, `[outputs, inputs, kernel, kernel]` of a convolution.
    pub weight: Weight,
    /// `[outputs]`
    pub bias: Option<Vector>,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// The size of a convolution's kernel; `None` for a linear layer.
    pub kernel: Option<usize>,
    /// Whether the file has a linear layer's weight as that of a 1x1 convolution, as in Stable Diffusion 1.
    pub is_pointwise: bool,
}

/// One norm of a model.
#[derive(Clone)]
pub(crate) struct Norm {
    /// `[channels]`
    pub weight: Vector,
    /// `[channels]`
    pub bias: Vector,
}

/// All that a LoRA can change.
#[derive(Default)]
pub(crate) struct Targets {
    pub layers: Layers,
    pub norms: BTreeMap<String, Norm>,
}

/// Records the layers and norms of a model's parts while they are loaded.
#[derive(Default)]
pub(crate) struct Record(RefCell<Targets>);

impl Record {
    /// Records a layer of `part` under its name.
    pub(crate) fn add(&self, part: &str, name: &str, layer: Layer) {
        self.0.borrow_mut().layers.insert(format!("{part}.{name}"), layer);
    }

    /// Records a norm of `part` under its name.
    pub(crate) fn add_norm(&self, part: &str, name: &str, norm: Norm) {
        self.0.borrow_mut().norms.insert(format!("{part}.{name}"), norm);
    }

    /// All that was recorded.
    pub(crate) fn finish(self) -> Targets {
        self.0.into_inner()
    }
}
