//! Weight files: safetensors, mapped, checked and converted tensor by tensor.
//!
//! Not here: which tensors a model has; each part of a model requests its own by name and shape.

use crate::error::ModelError;
use crate::weights::content::map_file;
use crate::weights::found::{Form, Found, LinearInFile, Table};
use crate::weights::header::Stored;
use crate::weights::load_options::{LoadOptions, Variables};
use crate::weights::lora::targets::{Layer, Norm, Record};
use crate::weights::shards::Shards;
use crate::weights::single_file::Part;
use crate::weights::source::ModelSource;
use crate::weights::tally::Tally;
use crate::weights::weight_files::WeightFiles;
use candle_core::{DType, Device, Tensor};
use maquette_kernels::{Conv2d, GroupNorm, Kernels, LayerNorm, Linear, Padding, RmsNorm, Vector, Weight};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// The open weights of one part of a model: a file, or several shards.
pub(crate) struct WeightFile<'a> {
    shards: Shards,
    file: String,
    config: String,
    model: String,
    /// The part of the model: its folder in diffusers' layout.
    pub(super) folder: String,
    form: Form,
    variables: Option<&'a Variables>,
    pub(super) tally: Option<&'a Tally>,
    stays_in_file: bool,
    /// The weights of linear layers that are read when they are needed.
    pub(super) in_file: RefCell<Vec<Weight>>,
}

/// A view of a weight file below one prefix, such as `down_blocks.0.resnets.1`.
#[derive(Clone)]
pub(crate) struct Weights<'a> {
    pub(super) file: &'a WeightFile<'a>,
    prefix: String,
    /// Where layers are recorded, and the part of the model that they belong to.
    record: Option<(&'a Record, &'static str)>,
}

impl<'a> WeightFile<'a> {
    /// Opens the weights whose file in full precision is `stem.safetensors` and reads their headers. `config` is named in
    /// errors about tensors.
    pub(crate) fn open(
        source: &ModelSource,
        stem: &str,
        config: &str,
        options: &LoadOptions<'a>,
    ) -> Result<WeightFile<'a>, ModelError> {
        let WeightFiles { name, files } = source.weight_files(stem)?;
        let open = |name: &String| Ok((source.open(name)?, source.file_name(name)));
        let shards = Shards::read(files.iter().map(open), source.part(&name))?;
        let (folder, file) = (stem.split('/').next().unwrap_or_default(), source.file_name(&name));
        Ok(WeightFile::of(shards, [file, config.to_owned(), source.name(), folder.to_owned()], options))
    }

    /// Opens the weights of a part that has a file of its own; `part` is the naming of its tensors.
    pub(crate) fn open_file(
        path: &Path,
        part: Part,
        config: &str,
        options: &LoadOptions<'a>,
    ) -> Result<WeightFile<'a>, ModelError> {
        let file = path.display().to_string();
        let shards = Shards::read([Ok((map_file(path)?, file.clone()))].into_iter(), Some(part))?;
        let names = [file.clone(), config.to_owned(), file, String::new()];
        Ok(WeightFile::of(shards, names, options))
    }

    fn of(
        shards: Shards,
        [file, config, model, folder]: [String; 4],
        options: &LoadOptions<'a>,
    ) -> WeightFile<'a> {
        WeightFile {
            shards,
            file,
            config,
            model,
            folder,
            form: Form { dtype: options.dtype, device: options.device.clone(), kernels: options.kernels() },
            variables: options.variables,
            tally: options.tally,
            stays_in_file: options.stays_in_file,
            in_file: RefCell::default(),
        }
    }

    /// All weights of the file.
    pub(crate) fn root(&self) -> Weights<'_> {
        Weights { file: self, prefix: String::new(), record: None }
    }

    /// The weights of linear layers that were left in the file.
    pub(crate) fn in_file(self) -> Vec<Weight> {
        self.in_file.into_inner()
    }

    /// Fails unless every tensor was used, except those that `is_spare` accepts.
    ///
    /// Otherwise a model that is larger than its configuration would render wrong pictures.
    pub(crate) fn all_used(&self, is_spare: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        let Some((file, key, more)) = self.shards.unused(is_spare) else { return Ok(()) };
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more like it"),
        };
        Err(ModelError::Extra { file, key, more, config: self.config.clone() })
    }
}

impl<'a> Weights<'a> {
    /// The same weights; every layer made from them is recorded in `record`, as the model's `part`.
    pub(crate) fn recorded(self, record: &'a Record, part: &'static str) -> Weights<'a> {
        Weights { record: Some((record, part)), ..self }
    }

    /// The weights below `name`.
    pub(crate) fn at(&self, name: impl std::fmt::Display) -> Weights<'a> {
        Weights { prefix: self.key(&name.to_string()), ..*self }
    }

    /// Whether a tensor of that name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.file.shards.find(&self.key(name)).is_ok()
    }

    /// The kernels of its layers.
    pub(crate) fn kernels(&self) -> &'static dyn Kernels {
        self.file.form.kernels
    }

    /// The device of its layers.
    pub(crate) fn device(&self) -> &Device {
        &self.file.form.device
    }

    /// The dtype of the tensors between its layers.
    pub(crate) fn activation_dtype(&self) -> DType {
        self.kernels().activation_dtype(self.file.form.dtype)
    }

    /// A tensor, which must have this shape. Files in GGUF may lack axes of one at its beginning.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        let ones = shape.iter().take_while(|axis| **axis == 1).count();
        let shapes: Vec<&[usize]> = (0..=ones).map(|ones| &shape[ones..]).collect();
        self.trainable(name, Ok(self.read(name, &shapes)?))
    }

    /// A tensor, as a variable if that is wanted for its name.
    fn trainable(&self, name: &str, tensor: candle_core::Result<Tensor>) -> Result<Tensor, ModelError> {
        let variable = tensor.and_then(|tensor| match self.file.variables {
            Some(variables) => {
                let key = self.key(name);
                variables.take(format!("{}.{}", self.file.folder, without_old_prefix(&key)), tensor)
            }
            None => Ok(tensor),
        });
        variable.map_err(|error| self.device_error(error))
    }

    /// A tensor that may have any of these shapes, all with the same number of elements.
    fn found(&self, name: &str, shapes: &[&[usize]]) -> Result<Found, ModelError> {
        let file = self.file;
        let found = file.shards.find(&self.key(name)).map_err(|key| ModelError::Tensor {
            file: file.file.clone(),
            key,
            config: file.config.clone(),
        })?;
        if let Some(dtype) = found.stored.unsupported() {
            let supported = Stored::SUPPORTED;
            return Err(ModelError::Dtype { file: found.file, key: found.key, dtype, supported });
        }
        if !shapes.contains(&found.shape.as_slice()) {
            return Err(ModelError::Shape {
                file: found.file,
                key: found.key,
                found: found.shape.into(),
                expected: shapes[0].into(),
                config: file.config.clone(),
            });
        }
        file.shards.mark_used(&found.key);
        Ok(found)
    }

    /// The values of such a tensor, in the first of the shapes.
    fn read(&self, name: &str, shapes: &[&[usize]]) -> Result<Tensor, ModelError> {
        self.read_found(&self.found(name, shapes)?, shapes[0])
    }

    fn read_found(&self, found: &Found, shape: &[usize]) -> Result<Tensor, ModelError> {
        let Form { dtype, device, .. } = &self.file.form;
        if let Some(tally) = self.file.tally {
            tally.count(&self.file.folder, found, &self.file.form, false);
            let zero = Tensor::zeros(1, *dtype, device).and_then(|zero| zero.broadcast_as(shape));
            return zero.map_err(|error| self.device_error(error));
        }
        found.check()?;
        let loaded = found.tensor(&self.file.form).and_then(|tensor| tensor.reshape(shape));
        loaded.map_err(|error| self.device_error(error))
    }

    /// A table `[rows, width]`, which stays in its file.
    pub(crate) fn table(&self, name: &str, [rows, width]: [usize; 2]) -> Result<Table, ModelError> {
        Ok(Table::new(self.found(name, &[&[rows, width]])?, self.file.form.clone()))
    }

    /// A linear layer of `inputs` to `outputs` channels: `weight` and, if `bias`, `bias`.
    ///
    /// A 1x1 convolution's weight is accepted, too: older files have the attention's layers in that form.
    pub(crate) fn linear(&self, inputs: usize, outputs: usize, bias: bool) -> Result<Linear, ModelError> {
        let shapes: [&[usize]; 3] = [&[outputs, inputs], &[outputs, inputs, 1, 1], &[outputs, inputs, 1]];
        let weight = match self.file.stays_in_file {
            true => self.weight_in_file(self.found("weight", &shapes)?, inputs, outputs),
            false => self.linear_weight(&self.read("weight", &shapes)?)?,
        };
        let bias = if bias { Some(self.tensor("bias", &[outputs])?) } else { None };
        let layer = Linear::new(weight, bias);
        self.note(&layer.weight, layer.bias.as_ref(), inputs, outputs, None);
        Ok(layer)
    }

    /// A square convolution whose stride is its kernel size, as a linear layer on the pixels of each patch.
    pub(crate) fn patch_embedding(
        &self,
        inputs: usize,
        outputs: usize,
        patch: usize,
        bias: bool,
    ) -> Result<Linear, ModelError> {
        let weight = self.read("weight", &[&[outputs, inputs, patch, patch]])?;
        let weight = weight.flatten_from(1).map_err(|error| self.device_error(error))?;
        let bias = if bias { Some(self.tensor("bias", &[outputs])?) } else { None };
        Ok(Linear::new(self.linear_weight(&weight)?, bias))
    }

    /// The weight of a linear layer that is read when it is needed.
    fn weight_in_file(&self, found: Found, inputs: usize, outputs: usize) -> Weight {
        let form = self.file.form.clone();
        self.file.tally.iter().for_each(|tally| tally.count(&self.file.folder, &found, &form, true));
        let stored = LinearInFile::new(found, form, inputs, outputs);
        let (is_packed, dtype) = (stored.is_packed(), self.file.form.dtype);
        let weight = Weight::stored(self.kernels(), Arc::new(stored), dtype);
        // One that has fewer bits in the file than in memory is better left there.
        if !is_packed {
            self.file.in_file.borrow_mut().push(weight.clone());
        }
        weight
    }

    /// The weight of a linear layer from the one in a file, `[outputs, inputs]`.
    fn linear_weight(&self, weight: &Tensor) -> Result<Weight, ModelError> {
        let transposed = weight.t().and_then(|weight| self.stored(weight));
        Ok(Weight::new(self.kernels(), self.trainable("weight", transposed)?, self.file.form.dtype))
    }

    /// A weight in the layout of the kernels.
    fn stored(&self, weight: Tensor) -> candle_core::Result<Tensor> {
        if self.file.tally.is_some() { Ok(weight) } else { self.kernels().storage_layout(weight) }
    }

    /// A square convolution with bias.
    pub(crate) fn conv2d(
        &self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> Result<Conv2d, ModelError> {
        self.conv2d_with([inputs, outputs, kernel, stride], padding, true)
    }

    /// A square convolution of `inputs` to `outputs` channels, with a `kernel` and a `stride`: `weight` and, if `bias`,
    /// `bias`.
    pub(crate) fn conv2d_with(
        &self,
        [inputs, outputs, kernel, stride]: [usize; 4],
        padding: Padding,
        bias: bool,
    ) -> Result<Conv2d, ModelError> {
        let weight = self.tensor("weight", &[outputs, inputs, kernel, kernel])?;
        let weight = self.stored(weight).map_err(|error| self.device_error(error))?;
        let weight = Weight::new(self.kernels(), weight, self.file.form.dtype);
        let bias = if bias { Some(self.tensor("bias", &[outputs])?) } else { None };
        let layer = Conv2d::new(weight, bias, stride, padding);
        self.note(&layer.weight, layer.bias.as_ref(), inputs, outputs, Some(kernel));
        Ok(layer)
    }

    /// The convolution of a single frame by a causal one over time, whose kernel is as long as high and wide: with zeros before
    /// the frame, the kernel's last frame.
    pub(crate) fn conv2d_of_last_frame(
        &self,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        padding: Padding,
    ) -> Result<Conv2d, ModelError> {
        let mut shape = [outputs, inputs, kernel, kernel, kernel];
        let mut found = self.found("weight", &[&shape])?;
        if self.file.tally.is_some() {
            // The other frames are not kept.
            (shape[2], found.shape[2]) = (1, 1);
        }
        let weight = self.read_found(&found, &shape)?;
        let weight = weight.narrow(2, shape[2] - 1, 1).and_then(|weight| weight.squeeze(2)?.contiguous());
        let weight = weight.and_then(|weight| self.stored(weight));
        let weight = weight.map_err(|error| self.device_error(error))?;
        let weight = Weight::new(self.kernels(), weight, self.file.form.dtype);
        Ok(Conv2d::new(weight, Some(self.tensor("bias", &[outputs])?), 1, padding))
    }

    /// A group norm.
    pub(crate) fn group_norm(
        &self,
        channels: usize,
        groups: usize,
        eps: f64,
    ) -> Result<GroupNorm, ModelError> {
        let (weight, bias) = (self.tensor("weight", &[channels])?, self.tensor("bias", &[channels])?);
        let norm = GroupNorm::new(self.kernels(), weight, bias, groups, eps);
        self.note_norm(&norm.weight, &norm.bias);
        Ok(norm)
    }

    /// A layer norm.
    pub(crate) fn layer_norm(&self, channels: usize, eps: f64) -> Result<LayerNorm, ModelError> {
        let (weight, bias) = (self.tensor("weight", &[channels])?, self.tensor("bias", &[channels])?);
        let norm = LayerNorm::new(self.kernels(), weight, bias, eps);
        self.note_norm(&norm.weight, &norm.bias);
        Ok(norm)
    }

    /// A layer norm without weights of its own.
    pub(crate) fn plain_norm(&self, channels: usize, eps: f64) -> Result<LayerNorm, ModelError> {
        let dtype = self.kernels().storage_dtype(self.file.form.dtype);
        let ones = Tensor::ones(channels, dtype, &self.file.form.device)
            .map_err(|error| self.device_error(error))?;
        let zeros = ones.zeros_like().map_err(|error| self.device_error(error))?;
        Ok(LayerNorm::new(self.kernels(), ones, zeros, eps))
    }

    /// A norm by the root mean square.
    pub(crate) fn rms_norm(&self, channels: usize, eps: f64) -> Result<RmsNorm, ModelError> {
        Ok(RmsNorm::new(self.kernels(), self.tensor("weight", &[channels])?, eps))
    }

    fn note(
        &self,
        weight: &Weight,
        bias: Option<&Vector>,
        inputs: usize,
        outputs: usize,
        kernel: Option<usize>,
    ) {
        if let Some((record, part)) = self.record {
            let stored = self.file.shards.find(&self.key("weight"));
            let is_pointwise = kernel.is_none() && stored.is_ok_and(|found| found.shape.len() == 4);
            let (weight, bias) = (weight.clone(), bias.cloned());
            let layer = Layer { weight, bias, inputs, outputs, kernel, is_pointwise };
            record.add(part, without_old_prefix(&self.prefix), layer);
        }
    }

    fn note_norm(&self, weight: &Vector, bias: &Vector) {
        if let Some((record, part)) = self.record {
            let norm = Norm { weight: weight.clone(), bias: bias.clone() };
            record.add_norm(part, without_old_prefix(&self.prefix), norm);
        }
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    pub(crate) fn device_error(&self, source: candle_core::Error) -> ModelError {
        ModelError::Device { model: self.file.model.clone(), source }
    }
}

/// Removes the prefix of text encoders' names in files from before transformers 5.
fn without_old_prefix(name: &str) -> &str {
    name.strip_prefix("text_model.").unwrap_or(name)
}
