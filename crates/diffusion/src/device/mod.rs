//! Devices: opening them, their memory, their errors.
//!
//! Not here: what the engine does when memory runs out (`sampler/out_of_memory.rs`).

#[cfg(feature = "cuda")]
mod cuda;
mod driver;
mod failure;
mod name;

pub(crate) use driver::Driver;
pub(crate) use failure::Failure;
pub(crate) use name::candle_dtype;
pub use name::{DeviceError, DeviceName};
