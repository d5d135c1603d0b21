//! Weight files: safetensors, mapped, checked and converted tensor by tensor.
//!
//! Not here: which tensors a model has; each part of a model requests its own by name and shape.

use crate::error::ModelError;
use crate::weights::content::{Content, map_file};
use crate::weights::header::{Entry, Header, Stored};
use crate::weights::load_options::{LoadOptions, Variables};
use crate::weights::lora::targets::{Layer, Norm, Record};
use crate::weights::single_file::{Part, Place};
use crate::weights::source::ModelSource;
use crate::weights::weight_files::WeightFiles;
use candle_core::{DType, Device, Tensor};
use maquette_kernels::{Conv2d, GroupNorm, Kernels, LayerNorm, Linear, Padding, RmsNorm, Vector, Weight};
use rayon::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

/// The open weights of one part of a model: a file, or several shards.
pub(crate) struct WeightFile<'a> {
    shards: Vec<Shard>,
    /// The naming of its tensors, if it is not diffusers'.
    part: Option<Part>,
    /// The tensors that were read.
    used: RefCell<BTreeSet<String>>,
    file: String,
    config: String,
    model: String,
    /// The part of the model: its folder in diffusers' layout.
    folder: String,
    dtype: DType,
    device: Device,
    kernels: &'static dyn Kernels,
    variables: Option<&'a Variables>,
    headers_only: bool,
}

/// One file.
struct Shard {
    file: String,
    content: Content,
    header: Header,
}

impl Shard {
    fn read(content: Content, file: String) -> Result<Shard, ModelError> {
        match Header::read(&content) {
            Ok(header) => Ok(Shard { file, content, header }),
            Err(reason) => Err(ModelError::Weights { file, reason }),
        }
    }
}

/// A tensor that was found, with its name in this file.
struct Found<'a> {
    file: &'a str,
    key: String,
    entry: &'a Entry,
    /// Its part of the bytes, and its shape.
    bytes: &'a [u8],
    shape: Vec<usize>,
    transposed: bool,
}

/// A view of a weight file below one prefix, such as `down_blocks.0.resnets.1`.
#[derive(Clone)]
pub(crate) struct Weights<'a> {
    file: &'a WeightFile<'a>,
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
        let open = |name: &String| Shard::read(source.open(name)?, source.file_name(name));
        let shards = files.iter().map(open).collect::<Result<_, _>>()?;
        let folder = stem.split('/').next().unwrap_or_default();
        let (part, file) = (source.part(&name), source.file_name(&name));
        Ok(WeightFile::of(shards, part, [file, config.to_owned(), source.name(), folder.to_owned()], options))
    }

    /// Opens the weights of a part that has a file of its own; `part` is the naming of its tensors.
    pub(crate) fn open_file(
        path: &Path,
        part: Part,
        config: &str,
        options: &LoadOptions<'a>,
    ) -> Result<WeightFile<'a>, ModelError> {
        let file = path.display().to_string();
        let shards = vec![Shard::read(map_file(path)?, file.clone())?];
        let names = [file.clone(), config.to_owned(), file, String::new()];
        Ok(WeightFile::of(shards, Some(part), names, options))
    }

    fn of(
        shards: Vec<Shard>,
        part: Option<Part>,
        [file, config, model, folder]: [String; 4],
        options: &LoadOptions<'a>,
    ) -> WeightFile<'a> {
        WeightFile {
            shards,
            part,
            used: RefCell::default(),
            file,
            config,
            model,
            folder,
            dtype: options.dtype,
            device: options.device.clone(),
            kernels: options.kernels(),
            variables: options.variables,
            headers_only: options.headers_only,
        }
    }

    /// All weights of the file.
    pub(crate) fn root(&self) -> Weights<'_> {
        Weights { file: self, prefix: String::new(), record: None }
    }

    /// Fails unless every tensor was used, except those that `is_spare` accepts.
    ///
    /// Otherwise a model that is larger than its configuration would render wrong pictures.
    pub(crate) fn all_used(&self, is_spare: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        let used = self.used.borrow();
        let spare = |key: &str| match &self.part {
            Some(part) => part.is_spare(key),
            None => is_spare(key),
        };
        let extra = |shard: &'_ Shard| {
            // Tensors of other types, such as old text encoders' position_ids, are not weights.
            let weights = shard.header.iter().filter(|(_, entry)| entry.stored.unsupported().is_none());
            let keys = weights.map(|(key, _)| key).filter(|key| !used.contains(*key) && !spare(key));
            keys.map(|key| (shard.file.clone(), key.clone())).collect::<Vec<_>>()
        };
        let mut extra = self.shards.iter().flat_map(extra);
        let Some((file, key)) = extra.next() else { return Ok(()) };
        let more = match extra.count() {
            0 => String::new(),
            more => format!(" and {more} more like it"),
        };
        Err(ModelError::Extra { file, key, more, config: self.config.clone() })
    }

    /// Looks up a tensor by diffusers' name; the error is its name in this file.
    fn find(&self, name: &str) -> Result<Found<'_>, String> {
        let place = match &self.part {
            Some(part) => part.place(name),
            None => Place { keys: vec![name.to_owned()], third: None, transposed: false },
        };
        // Of a tensor in several shards, diffusers uses the last one.
        let shards = self.shards.iter().rev();
        let found = place
            .keys
            .iter()
            .find_map(|key| shards.clone().find_map(|shard| Some((key, shard, shard.header.get(key)?))));
        let Some((key, shard, entry)) = found else {
            return Err(place.keys.into_iter().next_back().unwrap_or_default());
        };
        let (mut bytes, mut shape) = (&shard.content[entry.bytes.clone()], entry.shape.clone());
        if let (Some(third), Some(rows)) = (place.third, shape.first_mut())
            && rows.is_multiple_of(3)
        {
            *rows /= 3;
            let length = bytes.len() / 3;
            bytes = &bytes[third * length..(third + 1) * length];
        }
        if place.transposed {
            shape.reverse();
        }
        Ok(Found { file: &shard.file, key: key.clone(), entry, bytes, shape, transposed: place.transposed })
    }

    fn load(&self, found: &Found) -> candle_core::Result<Tensor> {
        let Found { entry, bytes, shape, transposed, .. } = found;
        let stored: Vec<usize> =
            if *transposed { shape.iter().rev().copied().collect() } else { shape.clone() };
        let tensor = entry.stored.tensor(bytes, &stored, &self.device)?;
        let tensor = if *transposed { tensor.t()?.contiguous()? } else { tensor };
        // Even if the kernels store a wider dtype than the model's, the values are rounded to the model's.
        tensor.to_dtype(self.dtype)?.to_dtype(self.kernels.storage_dtype(self.dtype))
    }
}

/// The index of the first value that is not finite.
///
/// Checks the exponent's bits: all of them set means infinity or NaN in each of these types.
fn not_finite(bytes: &[u8], stored: Stored) -> Option<usize> {
    fn first<const N: usize>(bytes: &[u8], is_finite: impl Fn([u8; N]) -> bool + Sync) -> Option<usize> {
        // Testing whole stretches first is several times faster than testing for the index.
        const STRETCH: usize = 1 << 16;
        let (values, _) = bytes.as_chunks::<N>();
        let stretch = values
            .par_chunks(STRETCH)
            .position_first(|stretch| !stretch.iter().fold(true, |fine, &v| fine & is_finite(v)))?;
        let start = stretch * STRETCH;
        values[start..].iter().position(|&value| !is_finite(value)).map(|i| start + i)
    }
    let has = |bits: u64, mask: u64| bits & mask == mask;
    match stored {
        Stored::Float8(format) => bytes.iter().position(|&byte| !format.is_finite(byte)),
        Stored::Float(DType::F64) => first(bytes, |b| !has(u64::from_le_bytes(b), 0x7ff0_0000_0000_0000)),
        Stored::Float(DType::F32) => first(bytes, |b| !has(u64::from(u32::from_le_bytes(b)), 0x7f80_0000)),
        Stored::Float(DType::F16) => first(bytes, |b| !has(u64::from(u16::from_le_bytes(b)), 0x7c00)),
        Stored::Float(DType::BF16) => first(bytes, |b| !has(u64::from(u16::from_le_bytes(b)), 0x7f80)),
        _ => None,
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
        self.file.find(&self.key(name)).is_ok()
    }

    /// The kernels of its layers.
    pub(crate) fn kernels(&self) -> &'static dyn Kernels {
        self.file.kernels
    }

    /// The dtype of the tensors between its layers.
    pub(crate) fn activation_dtype(&self) -> DType {
        self.kernels().activation_dtype(self.file.dtype)
    }

    /// A tensor, which must have this shape.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        self.trainable(name, Ok(self.read(name, &[shape])?))
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

    /// A tensor that may have any of these shapes, all with the same number of elements; the result has the first.
    fn read(&self, name: &str, shapes: &[&[usize]]) -> Result<Tensor, ModelError> {
        let file = self.file;
        let found = file.find(&self.key(name)).map_err(|key| ModelError::Tensor {
            file: file.file.clone(),
            key,
            config: file.config.clone(),
        })?;
        if let Some(dtype) = found.entry.stored.unsupported() {
            let (file, supported) = (found.file.to_owned(), Stored::SUPPORTED);
            return Err(ModelError::Dtype { file, key: found.key, dtype, supported });
        }
        if !shapes.contains(&found.shape.as_slice()) {
            return Err(ModelError::Shape {
                file: found.file.to_owned(),
                key: found.key,
                found: found.shape.into(),
                expected: shapes[0].into(),
                config: file.config.clone(),
            });
        }
        if file.headers_only {
            file.used.borrow_mut().insert(found.key);
            let zero =
                Tensor::zeros(1, file.dtype, &file.device).and_then(|zero| zero.broadcast_as(shapes[0]));
            return zero.map_err(|error| self.device_error(error));
        }
        if let Some(position) = not_finite(found.bytes, found.entry.stored) {
            let count = found.shape.iter().product();
            let file = found.file.to_owned();
            return Err(ModelError::NotFinite { file, key: found.key, position, count });
        }
        let loaded = file.load(&found).and_then(|tensor| tensor.reshape(shapes[0]));
        file.used.borrow_mut().insert(found.key);
        loaded.map_err(|error| self.device_error(error))
    }

    /// A linear layer of `inputs` to `outputs` channels: `weight` and, if `bias`, `bias`.
    ///
    /// A 1x1 convolution's weight is accepted, too: older files have the attention's layers in that form.
    pub(crate) fn linear(&self, inputs: usize, outputs: usize, bias: bool) -> Result<Linear, ModelError> {
        let weight =
            self.read("weight", &[&[outputs, inputs], &[outputs, inputs, 1, 1], &[outputs, inputs, 1]])?;
        let weight = self.linear_weight(&weight)?;
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

    /// The weight of a linear layer from the one in a file, `[outputs, inputs]`.
    fn linear_weight(&self, weight: &Tensor) -> Result<Weight, ModelError> {
        let transposed = weight.t().and_then(|weight| self.stored(weight));
        Ok(Weight::new(self.kernels(), self.trainable("weight", transposed)?, self.file.dtype))
    }

    /// A weight in the layout of the kernels.
    fn stored(&self, weight: Tensor) -> candle_core::Result<Tensor> {
        if self.file.headers_only { Ok(weight) } else { self.kernels().storage_layout(weight) }
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
        let weight = Weight::new(self.kernels(), weight, self.file.dtype);
        let bias = if bias { Some(self.tensor("bias", &[outputs])?) } else { None };
        let layer = Conv2d::new(weight, bias, stride, padding);
        self.note(&layer.weight, layer.bias.as_ref(), inputs, outputs, Some(kernel));
        Ok(layer)
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
        let dtype = self.kernels().storage_dtype(self.file.dtype);
        let ones =
            Tensor::ones(channels, dtype, &self.file.device).map_err(|error| self.device_error(error))?;
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
            let stored = self.file.find(&self.key("weight"));
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
