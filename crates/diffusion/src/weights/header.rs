//! The header of a safetensors file: its tensors with their types, shapes and positions.
//!
//! Not here: their values.

use candle_core::DType;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::ops::{Deref, Range};

/// The tensors of a file that can be weights, by name.
pub(crate) struct Header(BTreeMap<String, Entry>);

/// One tensor of a file.
pub(crate) struct Entry {
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// The position of its values in the file.
    pub bytes: Range<usize>,
}

impl Deref for Header {
    type Target = BTreeMap<String, Entry>;

    fn deref(&self) -> &BTreeMap<String, Entry> {
        &self.0
    }
}

impl Header {
    /// Reads the header, and checks the extent of every tensor against the file's length. The error says what is wrong.
    pub(crate) fn read(content: &[u8]) -> Result<Header, String> {
        let length = content.len() as u64;
        let (size, body) = content
            .split_first_chunk::<8>()
            .ok_or_else(|| format!("it has {length} bytes, fewer than a header"))?;
        let size = u64::from_le_bytes(*size);
        if size > body.len() as u64 {
            return Err(format!("its header declares {size} bytes, but the file has {length}"));
        }
        let (_, metadata) =
            SafeTensors::read_metadata(content).map_err(|error| match declared(content, size as usize) {
                Some(declared) if declared != length => {
                    format!("its header declares {declared} bytes, but the file has {length}")
                }
                _ => error.to_string(),
            })?;
        let start = 8 + size as usize;
        let mut header = BTreeMap::new();
        for (name, info) in metadata.tensors() {
            // Tensors of other types, such as old text encoders' position_ids, are not weights.
            let Some(dtype) = weight_dtype(info.dtype) else { continue };
            let (from, to) = info.data_offsets;
            header.insert(name, Entry { dtype, shape: info.shape.clone(), bytes: start + from..start + to });
        }
        Ok(Header(header))
    }

    /// A header without a file.
    #[cfg(test)]
    pub(crate) fn from_entries(entries: impl Iterator<Item = (String, Entry)>) -> Header {
        Header(entries.collect())
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

fn weight_dtype(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// The file's length by its header.
fn declared(content: &[u8], size: usize) -> Option<u64> {
    let header: serde_json::Value = serde_json::from_slice(content.get(8..8 + size)?).ok()?;
    let ends = header.as_object()?.values().filter_map(|info| info.get("data_offsets")?.get(1)?.as_u64());
    Some(ends.max().unwrap_or(0).saturating_add(8 + size as u64))
}
