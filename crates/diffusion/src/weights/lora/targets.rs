//! Every layer of a model by its name, with a handle to its weight: what LoRA's keys are looked up in.
//!
//! Names are diffusers': the part, then the module, such as `unet.mid_block.attentions.0.proj_in`. Not here: norms,
//! embeddings, the autoencoder.

use candle_core::DType;
use maquette_kernels::Weight;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The layers of a model.
pub(crate) type Layers = BTreeMap<String, Layer>;

/// One linear layer or convolution.
#[derive(Clone)]
pub(crate) struct Layer {
    /// `[inputs, outputs]` of a linear layer, `[outputs, inputs, kernel, kernel]` of a convolution.
    pub weight: Weight,
    pub inputs: usize,
    pub outputs: usize,
    /// The size of a convolution's kernel; `None` is a linear layer.
    pub kernel: Option<usize>,
    /// What its numbers are rounded to.
    pub dtype: DType,
}

/// Notes the layers of a model's parts while they are loaded.
#[derive(Default)]
pub(crate) struct Record(RefCell<Layers>);

impl Record {
    /// Notes a layer of `part` by the name under which it was asked for.
    pub(crate) fn add(&self, part: &str, name: &str, layer: Layer) {
        // Text encoders have this in front in files from before transformers 5, and not since.
        let name = name.strip_prefix("text_model.").unwrap_or(name);
        self.0.borrow_mut().insert(format!("{part}.{name}"), layer);
    }

    /// All of them.
    pub(crate) fn finish(self) -> Layers {
        self.0.into_inner()
    }
}
