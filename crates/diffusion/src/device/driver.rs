//! What the engine asks of a device besides tensors: waiting, memory, whether it still works.
//!
//! A trait, so that tests can simulate a device.

#[cfg(feature = "cuda")]
use crate::device::cuda;
use crate::device::failure::Failure;
use candle_core::{DType, Device, Result, Tensor};
use std::error::Error;

/// A device's driver.
pub(crate) trait Driver {
    /// Waits until all queued work is done.
    fn synchronize(&self) -> Result<()>;

    /// A trivial computation, which fails only if none is possible or the memory is full.
    fn probe(&self) -> Result<()>;

    /// Releases memory that the driver keeps for later allocations. Whether it may have kept any.
    fn trim(&self) -> bool;

    /// Bytes that can still be allocated, if the driver says so.
    fn free_memory(&self) -> Option<u64>;

    /// Makes memory available after running out of it. Whether a call that ran out of memory may succeed now, as it is.
    ///
    /// An error means that the device was lost.
    fn reclaim(&self) -> Result<bool> {
        // Memory freed by queued work is available only when the work is done.
        match self.synchronize() {
            Err(error) if Failure::of(&error) == Failure::DeviceLost => Err(error),
            Ok(()) | Err(_) => Ok(self.trim()),
        }
    }

    /// What an error means. An unknown one means a lost device if nothing can be computed any more.
    fn failure(&self, error: &(dyn Error + 'static)) -> Failure {
        let fails = || self.probe().is_err_and(|error| Failure::of(&error) != Failure::OutOfMemory);
        match Failure::of(error) {
            // Twice, because cudarc reports the error of an earlier release of memory at the next call, once.
            Failure::Other if fails() && fails() => Failure::DeviceLost,
            failure => failure,
        }
    }
}

impl Driver for Device {
    fn synchronize(&self) -> Result<()> {
        Device::synchronize(self)
    }

    fn probe(&self) -> Result<()> {
        match self {
            Device::Cpu => Ok(()),
            Device::Cuda(_) | Device::Metal(_) => {
                Tensor::zeros(1, DType::F32, self)?.to_vec1::<f32>().map(|_| ())
            }
        }
    }

    fn trim(&self) -> bool {
        match self {
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::trim(device),
            _ => false,
        }
    }

    fn free_memory(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::free_memory(device),
            _ => None,
        }
    }
}
