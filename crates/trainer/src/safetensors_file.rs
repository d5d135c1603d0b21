//! Safetensors files as bytes that depend on their content alone.
//!
//! The safetensors crate writes the metadata in the random order of a hash map. Not here: reading.

use candle_core::{DType, Result, Tensor};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The bytes of a file with these tensors, in f32 and in the order of their names, and this metadata.
pub(crate) fn bytes(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        end += tensor.elem_count() * DType::F32.size_in_bytes();
        let entry = json!({ "dtype": "F32", "shape": tensor.dims(), "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string();
    // The data is aligned to eight bytes, as the safetensors crate aligns it.
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut file = Vec::with_capacity(8 + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header.into_bytes());
    for tensor in tensors.values() {
        let values: Vec<f32> = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        file.extend(values.into_iter().flat_map(f32::to_le_bytes));
    }
    Ok(file)
}
