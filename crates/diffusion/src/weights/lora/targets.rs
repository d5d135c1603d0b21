//! Every layer of a model by name, with a handle to its weight; a LoRA's keys are looked up here.
//!
//! Names are diffusers': the part, then the module, such as `unet.mid_block.attentions.0.proj_in`. Not here: norms,
//! embeddings, the autoencoder.

use maquette_kernels::Weight;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The layers of a model that LoRA can change, by name.
pub type Layers = BTreeMap<String, Layer>;

/// One linear layer or convolution of a model.
#[derive(Clone)]
pub struct Layer {
    /// `[inputs, outputs]` of a linear layer, `[outputs, inputs, kernel, kernel]` of a convolution.
    pub weight: Weight,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// The size of a convolution's kernel; `None` for a linear layer.
    pub kernel: Option<usize>,
}

/// Records the layers of a model's parts while they are loaded.
#[derive(Default)]
pub(crate) struct Record(RefCell<Layers>);

impl Record {
    /// Records a layer of `part` under its name.
    pub(crate) fn add(&self, part: &str, name: &str, layer: Layer) {
        self.0.borrow_mut().insert(format!("{part}.{name}"), layer);
    }

    /// The recorded layers.
    pub(crate) fn finish(self) -> Layers {
        self.0.into_inner()
    }
}
