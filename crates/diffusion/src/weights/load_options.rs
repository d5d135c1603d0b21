//! How a model is loaded: onto which device, in which dtype, with which kernels, and which tensors can be trained.
//!
//! Not here: reading the files.

use crate::weights::tally::Tally;
use candle_core::{DType, Device, Result, Tensor, Var};
use maquette_kernels::{Kernels, reference, select};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How a model is loaded.
///
/// To train a LoRA, differentiable kernels are enough; its branches have their own variables:
///
/// ```no_run
/// use candle_core::{DType, Device, Var};
/// use maquette_diffusion::{LoadOptions, ModelSource, StableDiffusion};
/// use maquette_kernels::{Branch, reference};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = LoadOptions::new(&Device::Cpu, DType::F32).with_kernels(reference());
/// let model = StableDiffusion::load_with(&ModelSource::at("models/some-model".as_ref())?, &options)?;
/// let layer = &model.layers()["unet.mid_block.attentions.0.proj_in"];
/// # let initial = candle_core::Tensor::ones((4, layer.inputs), DType::F32, &Device::Cpu)?;
/// let down = Var::from_tensor(&initial)?;
/// let up = Var::zeros((layer.outputs, 4), DType::F32, &Device::Cpu)?;
/// let (a, b) = (down.as_tensor().clone(), up.as_tensor().clone());
/// layer.weight.set_branches(vec![Branch { down: a, up: b, scale: 1.0 }]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    pub(crate) device: &'a Device,
    pub(crate) dtype: DType,
    kernels: Option<&'static dyn Kernels>,
    text_kernels: Option<&'static dyn Kernels>,
    pub(crate) variables: Option<&'a Variables>,
    /// What the sizes of the weights are added to, if only these, names and shapes are wanted: every value is then 0, and takes no
    /// memory.
    pub(crate) tally: Option<&'a Tally>,
    /// Whether the weights of linear layers are left in their files until they are needed.
    pub(crate) stays_in_file: bool,
    /// How many of them are then kept in memory; `None` for all.
    pub(crate) offload: Option<Offload>,
}

/// Weights that do not fit are read for each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offload {
    /// Bytes of the device that weights leave free.
    pub reserve: u64,
}

/// The tensors of a model that can be trained.
///
/// Their names are the part, then diffusers' name: `unet.conv_in.weight`,
/// `text_encoder.encoder.layers.0.self_attn.q_proj.weight`, `vae.decoder.conv_out.bias`. A variable has the layout in
/// which its layer computes: linear layers have `[inputs, outputs]`, the transpose of the weight in files.
pub struct Variables {
    wanted: Box<dyn Fn(&str) -> bool>,
    found: RefCell<BTreeMap<String, Var>>,
}

impl<'a> LoadOptions<'a> {
    /// For inference: weights in `dtype` (f32, f16, bf16 or f64), the kernels that [`select`] gives for it.
    pub fn new(device: &'a Device, dtype: DType) -> LoadOptions<'a> {
        let (kernels, text_kernels, variables) = (None, None, None);
        let (tally, stays_in_file, offload) = (None, false, None);
        LoadOptions { device, dtype, kernels, text_kernels, variables, tally, stays_in_file, offload }
    }

    /// The same with these kernels in every layer.
    pub fn with_kernels(self, kernels: &'static dyn Kernels) -> LoadOptions<'a> {
        LoadOptions { kernels: Some(kernels), ..self }
    }

    /// The same with these kernels in the layers of the text encoders, whose other operations are candle's.
    pub fn with_text_kernels(self, kernels: &'static dyn Kernels) -> LoadOptions<'a> {
        LoadOptions { text_kernels: Some(kernels), ..self }
    }

    /// For training: the tensors that `variables` matches become variables and are collected there.
    ///
    /// Layers get the reference kernels unless [`LoadOptions::with_kernels`] chose a differentiable set.
    ///
    /// ```no_run
    /// # use candle_core::{DType, Device};
    /// # use maquette_diffusion::{LoadOptions, ModelSource, StableDiffusion, Variables};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let variables = Variables::matching(|name| name.starts_with("unet."));
    /// let options = LoadOptions::new(&Device::Cpu, DType::F32).with_variables(&variables);
    /// let model = StableDiffusion::load_with(&ModelSource::at("models/some-model".as_ref())?, &options)?;
    /// let unet = variables.into_inner();
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_variables(self, variables: &'a Variables) -> LoadOptions<'a> {
        LoadOptions { variables: Some(variables), ..self }
    }

    /// The same with only those weights of linear layers in memory for which a device has room beside `reserve` bytes; the others
    /// are read from their files for each call. On a CPU, and on devices that do not say how much memory is free, it is all of
    /// them. Not for training.
    pub fn offloaded(self, reserve: u64) -> LoadOptions<'a> {
        LoadOptions { offload: Some(Offload { reserve }), ..self }
    }

    /// The same without values; the sizes of the weights are added to `tally`.
    pub(crate) fn tallied(self, tally: &'a Tally) -> LoadOptions<'a> {
        LoadOptions { tally: Some(tally), ..self }
    }

    /// The same with linear layers whose weights are left in their files until they are needed.
    pub(crate) fn staying_in_file(self) -> LoadOptions<'a> {
        LoadOptions { stays_in_file: self.variables.is_none(), ..self }
    }

    /// The same if they are offloaded, for models that keep them in memory otherwise.
    pub(crate) fn staying_if_offloaded(self) -> LoadOptions<'a> {
        if self.offload.is_some() { self.staying_in_file() } else { self }
    }

    /// The same for text encoders.
    pub(crate) fn of_text(self) -> LoadOptions<'a> {
        LoadOptions { kernels: self.text_kernels.or(self.kernels), ..self }
    }

    /// The same in another dtype.
    pub(crate) fn with_dtype(self, dtype: DType) -> LoadOptions<'a> {
        LoadOptions { dtype, ..self }
    }

    /// The kernels of the layers.
    pub(crate) fn kernels(&self) -> &'static dyn Kernels {
        let kernels = self.kernels.unwrap_or_else(|| select(self.device, self.dtype));
        if self.variables.is_some() && !kernels.is_differentiable() { reference() } else { kernels }
    }
}

impl Variables {
    /// The tensors whose name `wanted` accepts.
    pub fn matching(wanted: impl Fn(&str) -> bool + 'static) -> Variables {
        Variables { wanted: Box::new(wanted), found: RefCell::default() }
    }

    /// The variables of the loaded model, by name.
    pub fn into_inner(self) -> BTreeMap<String, Var> {
        self.found.into_inner()
    }

    /// The tensor itself, or a variable made from it.
    pub(crate) fn take(&self, name: String, tensor: Tensor) -> Result<Tensor> {
        if !(self.wanted)(&name) {
            return Ok(tensor);
        }
        let variable = Var::from_tensor(&tensor)?;
        let tensor = variable.as_tensor().clone();
        self.found.borrow_mut().insert(name, variable);
        Ok(tensor)
    }
}
