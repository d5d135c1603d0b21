//! The header of a safetensors or GGUF file: its tensors with their types, shapes and positions, and its metadata.
//!
//! Not here: their values.

use crate::weights::float8::Float8;
use crate::weights::gguf::{self, Blocks, Gguf};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Result as TensorResult, Tensor};
use maquette_files::limits;
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, Range};

/// The tensors of a file by name, of whatever type.
pub(crate) struct Header {
    tensors: BTreeMap<String, Entry>,
    /// The texts in the header; in GGUF numbers, too.
    pub metadata: HashMap<String, String>,
}

/// One tensor of a file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub stored: Stored,
    pub shape: Vec<usize>,
    /// The position of its values in the file.
    pub bytes: Range<usize>,
}

/// The type of stored values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A type of candle's.
    Float(DType),
    Float8(Float8),
    /// Blocks of ggml, whose values are dequantised.
    Quantized(GgmlDType),
    /// A type that weights cannot have here, such as an integer.
    Other(Dtype),
}

impl Deref for Header {
    type Target = BTreeMap<String, Entry>;

    fn deref(&self) -> &BTreeMap<String, Entry> {
        &self.tensors
    }
}

impl Header {
    /// Reads the header, and checks the extent of every tensor against the file's length. The error says what is wrong.
    pub(crate) fn read(content: &[u8]) -> Result<Header, String> {
        if content.starts_with(gguf::MAGIC) {
            let entry = |(name, Blocks { dtype, shape, bytes })| {
                (name, Entry { stored: Stored::of_ggml(dtype), shape, bytes })
            };
            let Gguf { tensors, metadata } = gguf::read(content)?;
            return Ok(Header { tensors: tensors.into_iter().map(entry).collect(), metadata });
        }
        let length = content.len() as u64;
        let (size, body) = content
            .split_first_chunk::<8>()
            .ok_or_else(|| format!("it has {length} bytes, fewer than a header"))?;
        let size = u64::from_le_bytes(*size);
        if size > body.len() as u64 {
            return Err(format!("its header declares {size} bytes, but the file has {length}"));
        }
        maquette_files::check_size(size, limits::TENSOR_HEADER)
            .map_err(|error| format!("its header: {error}"))?;
        let (_, metadata) =
            SafeTensors::read_metadata(content).map_err(|error| match declared(content, size as usize) {
                Some(declared) if declared != length => {
                    format!("its header declares {declared} bytes, but the file has {length}")
                }
                _ => error.to_string(),
            })?;
        let start = 8 + size as usize;
        let mut tensors = BTreeMap::new();
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let (stored, shape) = (Stored::of(info.dtype), info.shape.clone());
            tensors.insert(name, Entry { stored, shape, bytes: start + from..start + to });
        }
        Ok(Header { tensors, metadata: metadata.metadata().clone().unwrap_or_default() })
    }

    /// A header without a file.
    #[cfg(test)]
    pub(crate) fn from_entries(entries: impl Iterator<Item = (String, Entry)>) -> Header {
        Header { tensors: entries.collect(), metadata: HashMap::new() }
    }

    /// The shape of a tensor.
    pub(crate) fn shape(&self, key: &str) -> Option<&[usize]> {
        self.get(key).map(|entry| entry.shape.as_slice())
    }

    /// The length of one axis of a tensor.
    pub(crate) fn length(&self, key: &str, axis: usize) -> Option<usize> {
        self.shape(key)?.get(axis).copied()
    }
}

impl Stored {
    /// The types that weights can have, for messages.
    pub(crate) const SUPPORTED: &'static str = "F64, F32, F16, BF16, F8_E4M3, F8_E5M2";

    pub(crate) fn of(dtype: Dtype) -> Stored {
        match dtype {
            Dtype::F64 => Stored::Float(DType::F64),
            Dtype::F32 => Stored::Float(DType::F32),
            Dtype::F16 => Stored::Float(DType::F16),
            Dtype::BF16 => Stored::Float(DType::BF16),
            Dtype::F8_E4M3 => Stored::Float8(Float8::E4m3fn),
            Dtype::F8_E5M2 => Stored::Float8(Float8::E5m2),
            other => Stored::Other(other),
        }
    }

    fn of_ggml(dtype: GgmlDType) -> Stored {
        match dtype {
            GgmlDType::F32 => Stored::Float(DType::F32),
            GgmlDType::F16 => Stored::Float(DType::F16),
            GgmlDType::BF16 => Stored::Float(DType::BF16),
            other => Stored::Quantized(other),
        }
    }

    /// The name of a type that weights cannot have, as in the file.
    pub(crate) fn unsupported(self) -> Option<String> {
        match self {
            Stored::Other(dtype) => Some(dtype.to_string()),
            Stored::Float(_) | Stored::Float8(_) | Stored::Quantized(_) => None,
        }
    }

    /// Whether its values have fewer bits than those of any dtype that models compute with.
    pub(crate) fn is_packed(self) -> bool {
        matches!(self, Stored::Float8(_) | Stored::Quantized(_))
    }

    /// Whether it is a type of positions and flags, which weights never have.
    pub(crate) fn is_index(self) -> bool {
        matches!(self, Stored::Other(Dtype::I64 | Dtype::I32 | Dtype::BOOL))
    }

    /// Stored values as a tensor, 8-bit floats and blocks in f32. Fails for types that weights cannot have.
    pub(crate) fn tensor(self, bytes: &[u8], shape: &[usize], device: &Device) -> TensorResult<Tensor> {
        match self {
            Stored::Float(dtype) => Tensor::from_raw_buffer(bytes, dtype, shape, device),
            Stored::Float8(format) => format.tensor(bytes, shape, device),
            Stored::Quantized(dtype) => {
                // candle reads blocks in place, and all of these begin with numbers of two bytes.
                if !bytes.as_ptr().cast::<u16>().is_aligned() {
                    candle_core::bail!("a tensor of {dtype:?} is not aligned")
                }
                let blocks = QStorage::from_data(Cow::Borrowed(bytes), device, dtype)?;
                QTensor::new(blocks, shape)?.dequantize(device)
            }
            Stored::Other(dtype) => candle_core::bail!("the dtype {dtype} is not supported"),
        }
    }
}

/// The file's length by its header.
fn declared(content: &[u8], size: usize) -> Option<u64> {
    let header: serde_json::Value = serde_json::from_slice(content.get(8..8 + size)?).ok()?;
    let ends = header.as_object()?.values().filter_map(|info| info.get("data_offsets")?.get(1)?.as_u64());
    Some(ends.max().unwrap_or(0).saturating_add(8 + size as u64))
}
