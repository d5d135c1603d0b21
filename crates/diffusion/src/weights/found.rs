//! A tensor that was found in a weight file: checked, converted, and read once, each time it is needed, or row by row.
//!
//! Not here: finding it.

use crate::error::ModelError;
use crate::weights::content::Content;
use crate::weights::header::Stored;
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Kernels, StoredWeight};
use rayon::prelude::*;
use std::fmt::{Debug, Formatter};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A tensor that was found, with its name in its file.
pub(crate) struct Found {
    pub file: String,
    pub key: String,
    pub content: Arc<Content>,
    pub stored: Stored,
    /// Its part of the content.
    pub bytes: Range<usize>,
    /// What 8-bit floats are multiplied by.
    pub scale: Option<f32>,
    pub shape: Vec<usize>,
    /// Whether the file has its transpose.
    pub transposed: bool,
    /// Whether the file has the second half of its rows first.
    pub is_swapped: bool,
}

/// The form in which a model keeps its tensors.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub dtype: DType,
    pub device: Device,
    pub kernels: &'static dyn Kernels,
}

impl Form {
    /// The bytes of a value of a linear layer's weight in memory, which the kernels' layout may keep narrower than others.
    pub fn bytes_of_linear(&self) -> u64 {
        let stored = self.kernels.storage_dtype(self.dtype);
        let one =
            Tensor::zeros((1, 1), stored, &Device::Cpu).and_then(|one| self.kernels.storage_layout(one));
        one.map_or(stored, |one| one.dtype()).size_in_bytes() as u64
    }

    /// Even if the kernels store a wider dtype than the model's, the values are rounded to the model's.
    fn convert(&self, tensor: &Tensor) -> Result<Tensor> {
        tensor.to_dtype(self.dtype)?.to_dtype(self.kernels.storage_dtype(self.dtype))
    }
}

impl Found {
    /// Refuses infinity and NaN, except in blocks of ggml: a picture that they spoil fails.
    pub fn check(&self) -> std::result::Result<(), ModelError> {
        match not_finite(&self.content[self.bytes.clone()], self.stored) {
            None => Ok(()),
            Some(position) => {
                let (file, key) = (self.file.clone(), self.key.clone());
                Err(ModelError::NotFinite { file, key, position, count: self.shape.iter().product() })
            }
        }
    }

    /// All values.
    pub fn tensor(&self, form: &Form) -> Result<Tensor> {
        let stored: Vec<usize> =
            if self.transposed { self.shape.iter().rev().copied().collect() } else { self.shape.clone() };
        let tensor = self.values(&self.content[self.bytes.clone()], &stored, form)?;
        self.content.release(self.bytes.clone());
        let tensor = if self.is_swapped { swapped(&tensor)? } else { tensor };
        form.convert(&if self.transposed { tensor.t()?.contiguous()? } else { tensor })
    }

    fn values(&self, bytes: &[u8], shape: &[usize], form: &Form) -> Result<Tensor> {
        let tensor = self.stored.tensor(bytes, shape, &form.device)?;
        match self.scale {
            Some(scale) => tensor * f64::from(scale),
            None => Ok(tensor),
        }
    }
}

/// The halves of the rows in the other order.
fn swapped(tensor: &Tensor) -> Result<Tensor> {
    let half = tensor.dim(0)? / 2;
    Tensor::cat(&[tensor.narrow(0, half, tensor.dim(0)? - half)?, tensor.narrow(0, 0, half)?], 0)
}

/// The weight of a linear layer, read from its file for each call unless it is loaded.
pub(crate) struct LinearInFile {
    found: Found,
    form: Form,
    inputs: usize,
    outputs: usize,
    is_checked: AtomicBool,
}

impl LinearInFile {
    pub fn new(found: Found, form: Form, inputs: usize, outputs: usize) -> LinearInFile {
        LinearInFile { found, form, inputs, outputs, is_checked: AtomicBool::new(false) }
    }

    /// Whether the file has fewer bits for a value than memory would have.
    pub fn is_packed(&self) -> bool {
        self.found.stored.is_packed()
    }
}

impl StoredWeight for LinearInFile {
    fn read(&self) -> Result<Tensor> {
        if !self.is_checked.load(Ordering::Relaxed) {
            self.found.check().map_err(candle_core::Error::wrap)?;
            self.is_checked.store(true, Ordering::Relaxed);
        }
        let weight = self.found.tensor(&self.form)?.reshape((self.outputs, self.inputs))?;
        self.form.kernels.storage_layout(weight.t()?)
    }

    fn device(&self) -> &Device {
        &self.form.device
    }

    fn size(&self) -> u64 {
        (self.inputs * self.outputs) as u64 * self.form.bytes_of_linear()
    }

    fn prefetch(&self) {
        self.found.content.will_need(self.found.bytes.clone());
    }
}

impl Debug for LinearInFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.found.key, self.found.file)
    }
}

/// A table of vectors, one for each token id, that stays in its file: a prompt needs few of its rows.
pub(crate) struct Table {
    found: Found,
    form: Form,
}

impl Table {
    /// A table `[rows, width]`.
    pub fn new(found: Found, form: Form) -> Table {
        Table { found, form }
    }

    /// The rows of these numbers, `[ids.len(), width]`. Fails for numbers beyond the last row.
    pub fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let (rows, width) = (self.found.shape[0], self.found.shape[1]);
        if let Some(id) = ids.iter().find(|&&id| id as usize >= rows) {
            candle_core::bail!("token id {id} is outside the text encoder's vocabulary of {rows}")
        }
        let all = &self.found.content[self.found.bytes.clone()];
        let length = all.len() / rows;
        let mut bytes = Vec::with_capacity(ids.len() * length);
        for &id in ids {
            bytes.extend_from_slice(&all[id as usize * length..][..length]);
        }
        if not_finite(&bytes, self.found.stored).is_some() {
            candle_core::bail!("{} of {} has NaN or infinity", self.found.key, self.found.file)
        }
        self.form.convert(&self.found.values(&bytes, &[ids.len(), width], &self.form)?)
    }

    /// The device of its rows.
    pub fn device(&self) -> &Device {
        &self.form.device
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::{GgmlDType, QTensor};

    /// Rows of a table in blocks, as in a text encoder in GGUF, and halves of a layer in the other order.
    #[test]
    fn rows_of_blocks_are_those_of_the_whole_tensor() {
        let values: Vec<f32> = (0..4 * 256).map(|at| (at as f32 * 0.37).sin()).collect();
        let tensor = Tensor::from_vec(values, (4, 256), &Device::Cpu).unwrap();
        for dtype in [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::Q4K, GgmlDType::Q6K] {
            let blocks = QTensor::quantize(&tensor, dtype).unwrap();
            let content = Arc::new(Content::Owned(blocks.data().unwrap().into_owned()));
            let found = |is_swapped| Found {
                file: "model.gguf".to_owned(),
                key: "token_embd.weight".to_owned(),
                bytes: 0..content.len(),
                content: Arc::clone(&content),
                stored: Stored::Quantized(dtype),
                scale: None,
                shape: vec![4, 256],
                transposed: false,
                is_swapped,
            };
            let kernels = maquette_kernels::reference();
            let form = Form { dtype: DType::F32, device: Device::Cpu, kernels };
            let whole = blocks.dequantize(&Device::Cpu).unwrap();
            let expected = |rows: &[u32]| {
                let rows = whole.index_select(&Tensor::new(rows, &Device::Cpu).unwrap(), 0).unwrap();
                rows.to_vec2::<f32>().unwrap()
            };
            let rows = Table::new(found(false), form.clone()).rows(&[3, 0, 3]).unwrap();
            assert_eq!(rows.to_vec2::<f32>().unwrap(), expected(&[3, 0, 3]), "{dtype:?}");
            let swapped = found(true).tensor(&form).unwrap();
            assert_eq!(swapped.to_vec2::<f32>().unwrap(), expected(&[2, 3, 0, 1]), "{dtype:?}");
        }
    }
}
