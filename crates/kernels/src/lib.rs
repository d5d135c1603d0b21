//! Kernels: the arithmetic of the models' layers, in interchangeable sets, and the layers themselves.
//!
//! A set implements [`Kernels`]. [`select`] chooses one by device and dtype when a model is loaded, and every layer
//! keeps it: there is no other switch at run time. The sets:
//!
//! - `reference`: candle's operations. It runs on every device, is differentiable end to end, and the other sets are
//!   tested against it. Metal uses it.
//! - `cpu-f32`: custom kernels for the CPU, fused and tiled so that a row of a batch is the same to the bit regardless
//!   of the other rows and of the number of threads. It does not track gradients.
//! - `cpu-f32-recorded`: the same kernels with gradients of their own ([`record`]), for training.
//! - `recomputed`: another set with the gradients of candle's operations ([`record`]), for training on other devices.
//! - `cuda`: cuBLAS and custom kernels for NVIDIA GPUs, in builds with the feature `cuda`. It does not track gradients.
//!
//! Adding a set takes one new file and one arm in [`select`].
//!
//! Images are `[B, channels, height, width]`, tokens `[B, count, channels]`. Deliberately not here: models, files.

mod adamw;
mod branch;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod gradients;
mod layers;
mod layout;
mod recomputed;
mod recording;
mod reference;
mod set;
mod vector;
mod weight;

pub use adamw::AdamWStep;
pub use branch::Branch;
use candle_core::{DType, Device};
pub use layers::{Conv2d, GroupNorm, LayerNorm, Linear, RmsNorm};
pub use recording::{Keep, Recording, checkpoint, record};
pub use set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands, Padding};
pub use vector::Vector;
pub use weight::{Change, StoredWeight, Weight};

/// The fastest set of kernels for a model in `dtype` on a device.
pub fn select(device: &Device, dtype: DType) -> &'static dyn Kernels {
    prepare(device);
    match (device, dtype) {
        (Device::Cpu, DType::F32 | DType::F16 | DType::BF16) => cpu::Cpu::of(dtype),
        #[cfg(feature = "cuda")]
        (Device::Cuda(_), DType::F32 | DType::F16 | DType::BF16) => &cuda::Cuda,
        _ => &reference::Reference,
    }
}

/// The fastest set of kernels for training a model in `dtype` on a device, inside of [`record`].
pub fn training(device: &Device, dtype: DType) -> &'static dyn Kernels {
    prepare(device);
    match (device, dtype) {
        (Device::Cpu, DType::F32 | DType::BF16) => &cpu::Recorded,
        #[cfg(feature = "cuda")]
        (Device::Cuda(_), DType::F32 | DType::F16 | DType::BF16) => &recomputed::Recomputed(cuda::Cuda),
        _ => &recomputed::Recomputed(reference::Reference),
    }
}

fn prepare(device: &Device) {
    if device.is_cpu() {
        cpu::keep_freed();
    }
}

/// The differentiable kernels, which run on every device.
pub fn reference() -> &'static dyn Kernels {
    &reference::Reference
}

#[cfg(test)]
mod tests;
