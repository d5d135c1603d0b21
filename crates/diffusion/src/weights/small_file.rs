//! Small files of tensors that are added to a model: read whole, checked, and refused with an error if they are pickles.
//!
//! Not here: interpreting the tensors. Weights of models are mapped instead (`tensors.rs`).

use crate::weights::header::Stored;
use candle_core::{DType, Device, Tensor};
use maquette_files::limits::{self, Limit};
use safetensors::SafeTensors;
use safetensors::tensor::Metadata;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The tensors of a safetensors file by name, on the CPU, and the metadata of its header.
pub(crate) struct SmallFile {
    pub tensors: BTreeMap<String, Tensor>,
    pub metadata: HashMap<String, String>,
}

/// A file whose tensors cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SmallFileError {
    /// It cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// The file.
        file: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It is truncated, or not of the expected kind.
    #[error("{file} is not a valid {kind} file: {reason}.")]
    Broken {
        /// The file.
        file: String,
        /// What it should be.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor has a type that is not supported.
    #[error("{file}: tensor `{key}` has the dtype {dtype}, which is not supported.")]
    Dtype {
        /// The file.
        file: String,
        /// The tensor's name.
        key: String,
        /// Its dtype.
        dtype: String,
    },
    /// It contains NaN or infinity.
    #[error("{file}: tensor `{key}` contains NaN or infinity.")]
    NotFinite {
        /// The file.
        file: String,
        /// The tensor's name.
        key: String,
    },
}

/// The bytes of a file.
pub(crate) fn read(file: &Path, limit: Limit) -> Result<Vec<u8>, SmallFileError> {
    maquette_files::read(file, limit)
        .map_err(|source| SmallFileError::Read { file: file.display().to_string(), source })
}

/// The names of the tensors in the bytes of a safetensors file, in order.
pub(crate) fn keys(file: &str, bytes: &[u8]) -> Result<Vec<String>, SmallFileError> {
    let mut keys: Vec<String> = header(file, bytes)?.tensors().into_keys().collect();
    keys.sort();
    Ok(keys)
}

/// The names of the tensors in the bytes of a safetensors file, in order, and the metadata of its header. A tensor whose
/// dtype is not supported is an error.
pub(crate) fn header_of(
    file: &str,
    bytes: &[u8],
) -> Result<(Vec<String>, HashMap<String, String>), SmallFileError> {
    let header = header(file, bytes)?;
    for (key, info) in header.tensors() {
        if let Stored::Other(dtype) = Stored::of(info.dtype)
            && DType::try_from(dtype).is_err()
        {
            return Err(SmallFileError::Dtype { file: file.to_owned(), key, dtype: dtype.to_string() });
        }
    }
    Ok((keys(file, bytes)?, header.metadata().clone().unwrap_or_default()))
}

/// The tensors in the bytes of a safetensors file, all of them finite. `file` is its name in messages.
pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<SmallFile, SmallFileError> {
    let metadata = header(file, bytes)?.metadata().clone().unwrap_or_default();
    let broken = |error: candle_core::Error| not_whole(file, error.to_string());
    let views = SafeTensors::deserialize(bytes).map_err(|error| not_whole(file, error.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (key, view) in views.iter() {
        let tensor = match Stored::of(view.dtype()) {
            // Integers too: an alpha may be one.
            Stored::Other(dtype) => match DType::try_from(dtype) {
                Ok(dtype) => Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu),
                Err(_) => {
                    let (key, dtype) = (key.to_owned(), dtype.to_string());
                    return Err(SmallFileError::Dtype { file: file.to_owned(), key, dtype });
                }
            },
            stored => stored.tensor(view.data(), view.shape(), &Device::Cpu),
        };
        let tensor = tensor.map_err(broken)?;
        if !is_finite(&tensor).map_err(broken)? {
            return Err(SmallFileError::NotFinite { file: file.to_owned(), key: key.to_owned() });
        }
        tensors.insert(key.to_owned(), tensor);
    }
    Ok(SmallFile { tensors, metadata })
}

fn header(file: &str, bytes: &[u8]) -> Result<Metadata, SmallFileError> {
    let declared = bytes.first_chunk::<8>().map_or(0, |size| u64::from_le_bytes(*size));
    // A larger number than the file has bytes is another error.
    if declared <= bytes.len() as u64 {
        maquette_files::check_size(declared, limits::TENSOR_HEADER)
            .map_err(|error| not_whole(file, format!("its header: {error}")))?;
    }
    match SafeTensors::read_metadata(bytes) {
        Ok((_, header)) => Ok(header),
        // A zip archive, as torch writes, or a bare pickle of protocol 2 and later.
        Err(_) if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x80]) => {
            let reason =
                "it is a Python pickle, which can run code and is not supported; use its safetensors version";
            Err(not_whole(file, reason.to_owned()))
        }
        Err(error) => Err(not_whole(file, error.to_string())),
    }
}

fn not_whole(file: &str, reason: String) -> SmallFileError {
    SmallFileError::Broken { file: file.to_owned(), kind: "safetensors", reason }
}

/// Whether all values of a tensor are finite; those of integer types are.
pub(crate) fn is_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    if !tensor.dtype().is_float() {
        return Ok(true);
    }
    let values: Vec<f32> = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(values.iter().all(|value| value.is_finite()))
}
