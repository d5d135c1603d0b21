//! Starts our kernels on candle's tensors.
//!
//! What makes the unsafe code sound: operands are contiguous tensors of one device and dtype, which
//! is checked here, and all work is queued on the device's one stream, so that memory is freed after the work that uses
//! it. That a kernel stays inside its operands follows from the shapes that its caller has checked.
#![allow(unsafe_code)]

use candle_core::cuda_backend::cudarc::driver::{CudaFunction, DevicePtr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice, DeviceId};
use candle_core::{DType, Device, Layout, Result, Shape, Storage, Tensor, bail};
use std::cell::RefCell;
use std::collections::HashMap;

/// The sources of the kernels, compiled by `build.rs`.
pub(super) mod ptx {
    include!(concat!(env!("OUT_DIR"), "/ptx.rs"));
}

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub(super) enum Arg<'a> {
    /// A contiguous tensor: an operand or, as created by [`output`], the result.
    Tensor(&'a Tensor),
    /// A null pointer for an operand that is optional.
    Absent,
    /// An `unsigned` or a non-negative `int`; kernels have no wider ones, see the tests.
    Count(usize),
    /// A `float`.
    Float(f32),
}

impl<'a> From<Option<&'a Tensor>> for Arg<'a> {
    fn from(tensor: Option<&'a Tensor>) -> Arg<'a> {
        tensor.map_or(Arg::Absent, Arg::Tensor)
    }
}

/// The threads of a launch.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// Blocks in x and y.
    pub blocks: (usize, usize),
    /// Threads of a block.
    pub threads: usize,
    /// Dynamic shared memory of a block, in bytes; 48 KiB at most.
    pub shared: usize,
}

impl Grid {
    /// Enough threads for `count` items, one or more for each thread.
    pub fn over(count: usize) -> Grid {
        const THREADS: usize = 256;
        Grid { blocks: (count.div_ceil(THREADS).clamp(1, 1 << 20), 1), threads: THREADS, shared: 0 }
    }
}

/// A tensor whose values a kernel will write, all of them.
pub(super) fn output(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    // SAFETY: every caller passes it to a kernel that writes each value.
    unsafe { Tensor::empty(shape, dtype, device) }
}

/// Queues the kernel `name` of the module `(name, PTX)`.
pub(super) fn launch(
    device: &Device,
    module: (&str, &str),
    name: &str,
    grid: Grid,
    args: &[Arg],
) -> Result<()> {
    /// The value of an argument, which must not move until the launch.
    enum Value {
        Pointer(u64),
        Count(u32),
        Float(f32),
    }
    let values: Vec<Value> = args
        .iter()
        .map(|arg| {
            Ok(match *arg {
                Arg::Tensor(tensor) => Value::Pointer(pointer(tensor)?),
                Arg::Absent => Value::Pointer(0),
                Arg::Count(count) => Value::Count(int(count)? as u32),
                Arg::Float(number) => Value::Float(number),
            })
        })
        .collect::<Result<_>>()?;
    let function = function(cuda(device)?, module, name)?;
    let stream = cuda(device)?.cuda_stream();
    let mut builder = stream.launch_builder(&function);
    for value in &values {
        match value {
            Value::Pointer(pointer) => builder.arg(pointer),
            Value::Count(count) => builder.arg(count),
            Value::Float(number) => builder.arg(number),
        };
    }
    let config = LaunchConfig {
        grid_dim: (int(grid.blocks.0)? as u32, int(grid.blocks.1)? as u32, 1),
        block_dim: (int(grid.threads)? as u32, 1, 1),
        shared_mem_bytes: int(grid.shared)? as u32,
    };
    // SAFETY: the pointers are those of tensors that live until the launch is queued; see the module's documentation.
    unsafe { builder.launch(config) }.map_err(candle_core::Error::wrap)?;
    Ok(())
}

/// A kernel, kept by device and name: looking it up in its module takes as long as launching it.
fn function(device: &CudaDevice, module: (&str, &str), name: &str) -> Result<CudaFunction> {
    thread_local! {
        static FUNCTIONS: RefCell<HashMap<DeviceId, HashMap<String, CudaFunction>>> = RefCell::default();
    }
    FUNCTIONS.with_borrow_mut(|functions| {
        let functions = functions.entry(device.id()).or_default();
        if let Some(function) = functions.get(name) {
            return Ok(function.clone());
        }
        let function = device.get_or_load_custom_func(name, module.0, module.1)?.into_cuda_function();
        functions.insert(name.to_owned(), function.clone());
        Ok(function)
    })
}

/// Temporary memory of `count` bytes, with any values.
pub(super) fn bytes(count: usize, device: &Device) -> Result<Tensor> {
    // SAFETY: only libraries get it, which write what they read.
    unsafe { Tensor::empty(count, DType::U8, device) }
}

/// The address of a contiguous tensor's first value.
pub(super) fn pointer(tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    if !layout.is_contiguous() {
        bail!("an operand of a CUDA kernel is not contiguous: {layout:?}")
    }
    address(&storage, layout)
}

fn address(storage: &Storage, layout: &Layout) -> Result<u64> {
    let Storage::Cuda(storage) = storage else { bail!("an operand of a CUDA kernel is not on the device") };
    let stream = storage.device.cuda_stream();
    // The guards that `device_ptr` returns are for programs with several streams.
    let (start, size) = match &storage.slice {
        CudaStorageSlice::F32(values) => (values.device_ptr(&stream).0, 4),
        CudaStorageSlice::F16(values) => (values.device_ptr(&stream).0, 2),
        CudaStorageSlice::BF16(values) => (values.device_ptr(&stream).0, 2),
        CudaStorageSlice::U8(values) => (values.device_ptr(&stream).0, 1),
        _ => bail!("no CUDA kernel computes in {:?}", tensor_dtype(storage)),
    };
    Ok(start + (layout.start_offset() * size) as u64)
}

fn tensor_dtype(storage: &candle_core::CudaStorage) -> DType {
    candle_core::backend::BackendStorage::dtype(storage)
}

pub(super) fn cuda(device: &Device) -> Result<&CudaDevice> {
    device.as_cuda_device()
}

/// A count as CUDA's `int`.
pub(super) fn int(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| {
        candle_core::Error::Msg(format!(
            "a tensor of {count} values is too large for a CUDA kernel; try a smaller size or `--rows 2`"
        ))
    })
}
