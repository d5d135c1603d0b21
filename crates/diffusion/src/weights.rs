//! Weight files: safetensors, mapped, checked and converted tensor by tensor.
//!
//! Not here: which tensors a model has; each part of a model asks for its own by name and shape.

use crate::ModelError;
use crate::layers::{Layer, Record};
use crate::ops::{Conv2d, GroupNorm, LayerNorm, Linear, Padding, Weight};
use crate::source::{Content, ModelSource};
use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;

/// One open weight file.
pub(crate) struct WeightFile {
    content: Content,
    header: HashMap<String, Header>,
    file: String,
    config: String,
    model: String,
    dtype: DType,
    device: Device,
}

struct Header {
    dtype: DType,
    shape: Vec<usize>,
    bytes: std::ops::Range<usize>,
}

/// A view of a weight file below one prefix, such as `down_blocks.0.resnets.1`.
#[derive(Clone)]
pub(crate) struct Weights<'a> {
    file: &'a WeightFile,
    prefix: String,
    /// Where layers are noted, and the part of the model that they belong to.
    record: Option<(&'a Record, &'static str)>,
}

impl WeightFile {
    /// Opens `files`, the first that is there, and reads its header. `config` is named when a tensor does not fit.
    pub(crate) fn open(
        source: &ModelSource,
        files: &[&str],
        config: &str,
        dtype: DType,
        device: &Device,
    ) -> Result<WeightFile, ModelError> {
        let (name, content) = source.open_first(files)?;
        let file = source.file_name(name);
        let header =
            read_header(&content).map_err(|reason| ModelError::Weights { file: file.clone(), reason })?;
        let (config, model) = (config.to_owned(), source.name());
        Ok(WeightFile { content, header, file, config, model, dtype, device: device.clone() })
    }

    /// Everything in the file.
    pub(crate) fn root(&self) -> Weights<'_> {
        Weights { file: self, prefix: String::new(), record: None }
    }

    fn load(&self, key: &str) -> candle_core::Result<Tensor> {
        let Header { dtype, shape, bytes } = &self.header[key];
        let tensor = Tensor::from_raw_buffer(&self.content[bytes.clone()], *dtype, shape, &self.device)?;
        let tensor = tensor.to_dtype(self.dtype)?;
        // On the CPU half precision is rounding: the values are those of the dtype, the arithmetic is in f32.
        if self.device.is_cpu() { tensor.to_dtype(DType::F32) } else { Ok(tensor) }
    }
}

impl<'a> Weights<'a> {
    /// The same weights; every layer made of them is noted in `record`, as the model's `part`.
    pub(crate) fn recorded(self, record: &'a Record, part: &'static str) -> Weights<'a> {
        Weights { record: Some((record, part)), ..self }
    }

    /// The weights below `name`.
    pub(crate) fn at(&self, name: impl std::fmt::Display) -> Weights<'a> {
        Weights { prefix: self.key(&name.to_string()), ..*self }
    }

    /// Whether a tensor of that name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.file.header.contains_key(&self.key(name))
    }

    /// A tensor, which must have this shape.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        self.reshaped(name, &[shape])
    }

    /// A tensor that may have any of these shapes, all of the same number of elements; it comes in the first.
    fn reshaped(&self, name: &str, shapes: &[&[usize]]) -> Result<Tensor, ModelError> {
        let key = self.key(name);
        let file = self.file;
        let Some(header) = file.header.get(&key) else {
            return Err(ModelError::Tensor { file: file.file.clone(), key, config: file.config.clone() });
        };
        if !shapes.contains(&header.shape.as_slice()) {
            return Err(ModelError::Shape {
                file: file.file.clone(),
                key,
                found: header.shape.clone().into(),
                expected: shapes[0].into(),
                config: file.config.clone(),
            });
        }
        let loaded = file.load(&key).and_then(|tensor| tensor.reshape(shapes[0]));
        loaded.map_err(|error| self.device_error(error))
    }

    /// A linear layer of `inputs` to `outputs` channels: `weight` and, if `bias`, `bias`.
    ///
    /// A 1x1 convolution's weight will do as well: older files hold the attention's layers as such.
    pub(crate) fn linear(&self, inputs: usize, outputs: usize, bias: bool) -> Result<Linear, ModelError> {
        let weight = self.reshaped("weight", &[&[outputs, inputs], &[outputs, inputs, 1, 1]])?;
        let bias = if bias { Some(self.tensor("bias", &[outputs])?) } else { None };
        let linear = Linear::new(&weight, bias).map_err(|error| self.device_error(error))?;
        self.note(&linear.weight, inputs, outputs, None);
        Ok(linear)
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
        let weight = Weight::new(self.tensor("weight", &[outputs, inputs, kernel, kernel])?);
        self.note(&weight, inputs, outputs, Some(kernel));
        Ok(Conv2d { weight, bias: self.tensor("bias", &[outputs])?, stride, padding })
    }

    /// A group norm.
    pub(crate) fn group_norm(
        &self,
        channels: usize,
        groups: usize,
        eps: f64,
    ) -> Result<GroupNorm, ModelError> {
        let (weight, bias) = (self.tensor("weight", &[channels])?, self.tensor("bias", &[channels])?);
        Ok(GroupNorm { weight, bias, groups, eps })
    }

    /// A layer norm.
    pub(crate) fn layer_norm(&self, channels: usize, eps: f64) -> Result<LayerNorm, ModelError> {
        let (weight, bias) = (self.tensor("weight", &[channels])?, self.tensor("bias", &[channels])?);
        Ok(LayerNorm { weight, bias, eps })
    }

    fn note(&self, weight: &Weight, inputs: usize, outputs: usize, kernel: Option<usize>) {
        if let Some((record, part)) = self.record {
            record.add(
                part,
                &self.prefix,
                Layer { weight: weight.clone(), inputs, outputs, kernel, dtype: self.file.dtype },
            );
        }
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    pub(crate) fn device_error(&self, source: candle_core::Error) -> ModelError {
        ModelError::Device { model: self.file.model.clone(), source }
    }
}

/// The tensors of a file by name, after their extent was checked against the file's length.
fn read_header(content: &[u8]) -> Result<HashMap<String, Header>, String> {
    let length = content.len() as u64;
    let (size, body) = content
        .split_first_chunk::<8>()
        .ok_or_else(|| format!("it has {length} bytes, and the header alone has more"))?;
    let size = u64::from_le_bytes(*size);
    if size > body.len() as u64 {
        return Err(format!("its header announces {size} bytes, and the file has {length}"));
    }
    let (_, metadata) =
        SafeTensors::read_metadata(content).map_err(|error| match promised(content, size as usize) {
            Some(promised) if promised != length => {
                format!("its header announces {promised} bytes, the file has {length}")
            }
            _ => error.to_string(),
        })?;
    let start = 8 + size as usize;
    let mut header = HashMap::new();
    for (name, info) in metadata.tensors() {
        // Tensors of other types, such as old text encoders' position_ids, are no weights.
        let Some(dtype) = weight_dtype(info.dtype) else { continue };
        let (from, to) = info.data_offsets;
        header.insert(name, Header { dtype, shape: info.shape.clone(), bytes: start + from..start + to });
    }
    Ok(header)
}

fn weight_dtype(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// How long the file should be by its header.
fn promised(content: &[u8], size: usize) -> Option<u64> {
    let header: serde_json::Value = serde_json::from_slice(content.get(8..8 + size)?).ok()?;
    let ends = header.as_object()?.values().filter_map(|info| info.get("data_offsets")?.get(1)?.as_u64());
    Some(ends.max().unwrap_or(0).saturating_add(8 + size as u64))
}
