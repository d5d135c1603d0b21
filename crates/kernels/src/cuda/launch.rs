//! Starts our kernels and cuBLAS's matrix products on candle's tensors.
//!
//! The only unsafe code of the crate. What makes it sound: operands are contiguous tensors of one device and dtype, which
//! is checked here, and all work is queued on the device's one stream, so that memory is freed after the work that uses
//! it. That a kernel stays inside its operands follows from the shapes that its caller has checked.
#![allow(unsafe_code)]

use candle_core::cuda_backend::cudarc::cublas::{result::gemm_ex, sys};
use candle_core::cuda_backend::cudarc::driver::{DevicePtr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice};
use candle_core::{DType, Device, Layout, Result, Shape, Storage, Tensor, bail};
use std::ffi::c_void;

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
    let function = cuda(device)?.get_or_load_custom_func(name, module.0, module.1)?;
    let mut builder = function.builder();
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

/// The right matrix of a product.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    /// `[k, n]`
    Plain(&'a Tensor),
    /// `[n, k]`
    Transposed(&'a Tensor),
}

/// Writes the product of `left`, `[rows, k]`, and `right` to the rows of `out`, `[.., n]`, from `first` on.
///
/// Sums are in f32, also of half-precision matrices, and without TF32.
pub(super) fn product(
    out: &Tensor,
    first: usize,
    left: &Tensor,
    rows: usize,
    right: Right,
    (k, n): (usize, usize),
) -> Result<()> {
    let (weight, transposed) = match right {
        Right::Plain(weight) => (weight, false),
        Right::Transposed(weight) => (weight, true),
    };
    let fits = left.elem_count() >= rows * k
        && weight.elem_count() == k * n
        && out.elem_count() >= (first + rows) * n
        && left.dtype() == out.dtype()
        && weight.dtype() == out.dtype();
    if !fits {
        bail!("a product of {:?} and {:?} does not fit {:?}", left.shape(), weight.shape(), out.shape())
    }
    let kind = match out.dtype() {
        DType::F32 => sys::cudaDataType_t::CUDA_R_32F,
        DType::F16 => sys::cudaDataType_t::CUDA_R_16F,
        DType::BF16 => sys::cudaDataType_t::CUDA_R_16BF,
        dtype => bail!("no CUDA kernel computes in {dtype:?}"),
    };
    let blas = cuda(out.device())?.cublas_handle();
    let (alpha, beta) = (1.0f32, 0.0f32);
    let [left, weight] = [pointer(left)?, pointer(weight)?];
    let to = pointer(out)? + (first * n * out.dtype().size_in_bytes()) as u64;
    // cuBLAS has columns where candle has rows, so it computes the transposed product: n x rows = n x k times k x rows.
    let (operation, stride) = match transposed {
        true => (sys::cublasOperation_t::CUBLAS_OP_T, k),
        false => (sys::cublasOperation_t::CUBLAS_OP_N, n),
    };
    // SAFETY: the matrices lie inside their tensors, as checked above; see the module's documentation.
    unsafe {
        gemm_ex(
            *blas.handle(),
            operation,
            sys::cublasOperation_t::CUBLAS_OP_N,
            int(n)?,
            int(rows)?,
            int(k)?,
            std::ptr::from_ref(&alpha).cast::<c_void>(),
            weight as *const c_void,
            kind,
            int(stride)?,
            left as *const c_void,
            kind,
            int(k)?,
            std::ptr::from_ref(&beta).cast::<c_void>(),
            to as *mut c_void,
            kind,
            int(n)?,
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .map_err(candle_core::Error::wrap)
}

/// The address of a contiguous tensor's first value.
fn pointer(tensor: &Tensor) -> Result<u64> {
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
        _ => bail!("no CUDA kernel computes in {:?}", tensor_dtype(storage)),
    };
    Ok(start + (layout.start_offset() * size) as u64)
}

fn tensor_dtype(storage: &candle_core::CudaStorage) -> DType {
    candle_core::backend::BackendStorage::dtype(storage)
}

fn cuda(device: &Device) -> Result<&CudaDevice> {
    device.as_cuda_device()
}

/// A count as CUDA's `int`.
fn int(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| {
        candle_core::Error::Msg(format!(
            "a tensor of {count} values is too large for a CUDA kernel; try a smaller size or `--rows 2`"
        ))
    })
}
