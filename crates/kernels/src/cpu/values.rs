//! From tensors to slices, and back.

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor, bail};
use std::ops::Deref;

/// Shadows a tensor with the slice of its values.
macro_rules! values {
    ($name:ident) => {
        let tensor = $name.to_dtype(candle_core::DType::F32)?.contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        let $name = $crate::cpu::values::slice(&storage, layout)?;
    };
    ($name:ident = $tensor:expr) => {
        let $name = $tensor;
        $crate::cpu::values::values!($name);
    };
}

pub(super) use values;

/// The values of a contiguous tensor in f32.
pub(super) fn slice<'a>(storage: &'a impl Deref<Target = Storage>, layout: &Layout) -> Result<&'a [f32]> {
    match storage.deref() {
        Storage::Cpu(CpuStorage::F32(all)) => {
            Ok(&all[layout.start_offset()..layout.start_offset() + layout.shape().elem_count()])
        }
        _ => bail!("a tensor of the model is not on the CPU"),
    }
}

/// A tensor of these values, in the dtype of `like`.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)?.to_dtype(like.dtype())
}
