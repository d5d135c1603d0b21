//! Kernels: the arithmetic that the models' layers are made of, in exchangeable sets, and the layers themselves.
//!
//! A set implements [`Kernels`]. [`select`] chooses one by device and dtype when a model is loaded, and every layer
//! carries it: there is no other switch at run time. Two sets exist:
//!
//! - `reference`: candle's operations. It runs on every device, it is differentiable from end to end, and the other
//!   sets are tested against it. GPUs run it.
//! - `cpu-f32`: our own kernels for the CPU, fused and tiled so that a row of a batch comes out the same to the bit
//!   whatever the other rows and however many threads there are. It does not track gradients.
//!
//! Another set is one new file and one arm in [`select`].
//!
//! Images are `[B, channels, height, width]`, tokens `[B, count, channels]`. Deliberately not here: models, files.

mod branch;
mod cpu;
mod layers;
mod reference;
mod set;
mod weight;

pub use branch::Branch;
use candle_core::{DType, Device};
pub use layers::{Conv2d, GroupNorm, LayerNorm, Linear};
pub use set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands, Padding};
pub use weight::Weight;

/// The kernels for a model in `dtype` on a device: the fastest set that there is for them.
pub fn select(device: &Device, dtype: DType) -> &'static dyn Kernels {
    match (device, dtype) {
        (Device::Cpu, DType::F32 | DType::F16 | DType::BF16) => &cpu::CpuF32,
        _ => &reference::Reference,
    }
}

/// The differentiable kernels, which run on every device.
pub fn reference() -> &'static dyn Kernels {
    &reference::Reference
}

#[cfg(test)]
mod tests;
