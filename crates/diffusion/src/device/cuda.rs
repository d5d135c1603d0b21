//! NVIDIA GPUs: opening one, and the memory that its driver keeps.
//!
//! The only file that calls the driver past candle, whose device has none of these settings.

#![allow(unsafe_code)]

use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::{CudaContext, DriverError, result, sys};
use candle_core::{Device, Error, Result};
use std::cell::RefCell;

thread_local! {
    /// The devices that this thread has opened, by number.
    static OPENED: RefCell<Vec<(usize, &'static Device)>> = const { RefCell::new(Vec::new()) };
}

/// The number of GPUs, without opening one, which would take half a second.
pub(super) fn count() -> Result<usize> {
    Ok(CudaContext::device_count().map_err(Error::wrap)?.max(0) as usize)
}

/// A GPU by number.
///
/// A thread opens each GPU once and keeps it: candle gives every opened device an id, and tensors of different ids do not
/// mix. Each thread has its own, because candle queues work in the calling thread's stream: with different ids, candle
/// refuses to compute with tensors of two threads, which nothing would synchronise. Devices are never closed: a thread's
/// values may be dropped after the driver has shut down, where closing cuBLAS panics.
pub(super) fn open(number: usize) -> Result<Device> {
    let kept = |opened: &RefCell<Vec<(usize, &'static Device)>>| {
        opened.borrow().iter().find(|(other, _)| *other == number).map(|(_, device)| (*device).clone())
    };
    if let Some(device) = OPENED.with(kept) {
        return Ok(device);
    }
    let device = Device::new_cuda(number)?;
    configure(device.as_cuda_device()?)?;
    OPENED.with(|opened| opened.borrow_mut().push((number, Box::leak(Box::new(device.clone())))));
    Ok(device)
}

/// Makes allocations cheap: without two events for each, and from memory that the driver keeps.
fn configure(device: &CudaDevice) -> Result<()> {
    // SAFETY: events order the accesses of several streams to one allocation. Everything on this device is queued in one
    // stream, that of the thread which opened it: an engine is not `Send`, as its model is not, and no other thread gets
    // its tensors; pictures leave it as bytes on the host.
    unsafe { device.disable_event_tracking() };
    let stream = device.cuda_stream();
    let Some(pool) = pool(stream.context()).map_err(Error::wrap)? else { return Ok(()) };
    let mut threshold = u64::MAX;
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pool is the device's, and this attribute is a `cuuint64_t`.
    unsafe { result::mem_pool::set_attribute(pool, attribute, (&raw mut threshold).cast()) }
        .map_err(Error::wrap)
}

/// The pool of the device's asynchronous allocations, if the driver has one.
fn pool(context: &CudaContext) -> std::result::Result<Option<sys::CUmemoryPool>, DriverError> {
    if !context.has_async_alloc() {
        return Ok(None);
    }
    // SAFETY: the context's device is valid. cudarc allocates from the device's current pool.
    unsafe { result::device::get_mem_pool(context.cu_device()) }.map(Some)
}

/// Returns the free memory of the pool to the driver, for allocations of other sizes and for libraries, which do not use
/// the pool. Whether this could make room for a call that ran out of memory.
pub(super) fn trim(device: &CudaDevice) -> bool {
    let stream = device.cuda_stream();
    let context = stream.context();
    // SAFETY: the pool is the device's, whose context is current.
    let trimmed = context.bind_to_thread().and_then(|()| pool(context)).and_then(|pool| match pool {
        Some(pool) => unsafe { result::mem_pool::trim_to(pool, 0) }.map(|()| true),
        None => Ok(false),
    });
    trimmed.unwrap_or(false)
}

/// Bytes that can still be allocated: those that the driver has not given to a process, and those that the pool keeps.
pub(super) fn free_memory(device: &CudaDevice) -> Option<u64> {
    use sys::CUmemPool_attribute::{CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_CURRENT};
    let stream = device.cuda_stream();
    let context = stream.context();
    // Memory whose freeing is queued counts as used until then.
    stream.synchronize().ok()?;
    let (free, _) = context.mem_get_info().ok()?;
    let kept = match pool(context).ok()? {
        Some(pool) => {
            let bytes = |attribute| {
                let mut bytes = 0u64;
                // SAFETY: the pool is the device's, and these attributes are `cuuint64_t`.
                unsafe { result::mem_pool::get_attribute(pool, attribute, (&raw mut bytes).cast()) }
                    .map(|()| bytes)
            };
            let reserved = bytes(CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT).ok()?;
            reserved.saturating_sub(bytes(CU_MEMPOOL_ATTR_USED_MEM_CURRENT).ok()?)
        }
        None => 0,
    };
    Some(free as u64 + kept)
}
