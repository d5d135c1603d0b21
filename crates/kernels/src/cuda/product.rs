//! Matrix products by cuBLASLt, which adds the bias and the residual while it writes the result.
//!
//! Sums are in f32, also of half-precision matrices, and without TF32; a result is rounded once. What makes the unsafe
//! code sound: operands are contiguous tensors of one device and dtype whose sizes are checked here, all work is queued in
//! the device's one stream, and descriptors live as long as the thread that uses them.
#![allow(unsafe_code)]

use super::launch::{bytes, cuda, pointer};
use candle_core::cuda_backend::cudarc::cublas::sys::cublasOperation_t;
use candle_core::cuda_backend::cudarc::cublaslt::{result, sys};
use candle_core::{DType, Device, Error, Result, Tensor, bail};
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::c_void;

/// The right matrix of a product.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    /// `[k, n]`
    Plain(&'a Tensor),
    /// `[n, k]`
    Transposed(&'a Tensor),
}

/// What is added to a product.
#[derive(Clone, Copy, Default)]
pub(super) struct Plus<'a> {
    /// `[n]`
    pub bias: Option<&'a Tensor>,
    /// As many values as the result.
    pub residual: Option<&'a Tensor>,
}

/// Writes the product of `left`, `[rows, k]`, and `right`, plus `plus`, to the rows of `out`, `[.., n]`, from `first` on.
pub(super) fn product(
    out: &Tensor,
    first: usize,
    left: &Tensor,
    rows: usize,
    right: Right,
    (k, n): (usize, usize),
    plus: Plus,
) -> Result<()> {
    let (weight, transposed) = match right {
        Right::Plain(weight) => (weight, false),
        Right::Transposed(weight) => (weight, true),
    };
    let dtype = out.dtype();
    let is = |tensor: Option<&Tensor>, count: usize| {
        tensor.is_none_or(|tensor| tensor.elem_count() == count && tensor.dtype() == dtype)
    };
    let fits = left.elem_count() >= rows * k
        && weight.elem_count() == k * n
        && out.elem_count() >= (first + rows) * n
        && left.dtype() == dtype
        && weight.dtype() == dtype
        && is(plus.bias, n)
        && is(plus.residual, out.elem_count());
    if !fits {
        bail!("a product of {:?} and {:?} does not fit {:?}", left.shape(), weight.shape(), out.shape())
    }
    if rows == 0 {
        return Ok(());
    }
    let offset = (first * n * dtype.size_in_bytes()) as u64;
    let to = pointer(out)? + offset;
    let addresses = Addresses {
        left: pointer(left)?,
        weight: pointer(weight)?,
        bias: plus.bias.map(pointer).transpose()?,
        // Without a residual, its factor is 0.
        residual: plus.residual.map(pointer).transpose()?.map_or(to, |address| address + offset),
        out: to,
    };
    let number = cuda(out.device())?.cuda_stream().context().ordinal();
    let sizes = Sizes {
        dtype,
        rows,
        k,
        n,
        transposed,
        has_bias: plus.bias.is_some(),
        alignment: addresses.alignment(),
    };
    let factor = if plus.residual.is_some() { 1.0 } else { 0.0 };
    PRODUCTS.with_borrow_mut(|products| {
        let products = match products.entry(number) {
            Entry::Occupied(products) => products.into_mut(),
            Entry::Vacant(place) => place.insert(Products::new(out.device())?),
        };
        products.run(out.device(), sizes, addresses, factor)
    })
}

thread_local! {
    /// What is kept for each device, by number.
    static PRODUCTS: RefCell<HashMap<usize, Products>> = RefCell::new(HashMap::new());
}

/// cuBLASLt's handle on a device, its temporary memory, and the algorithms that it chose. Never released, as devices are
/// not.
struct Products {
    handle: sys::cublasLtHandle_t,
    workspace: Tensor,
    chosen: HashMap<Sizes, Chosen>,
}

/// What the choice of an algorithm depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Sizes {
    dtype: DType,
    rows: usize,
    k: usize,
    n: usize,
    transposed: bool,
    has_bias: bool,
    /// Bytes that divide all addresses.
    alignment: u32,
}

/// A described product and its algorithm.
struct Chosen {
    product: sys::cublasLtMatmulDesc_t,
    weight: sys::cublasLtMatrixLayout_t,
    left: sys::cublasLtMatrixLayout_t,
    out: sys::cublasLtMatrixLayout_t,
    algorithm: sys::cublasLtMatmulAlgo_t,
}

/// Addresses on the device.
#[derive(Clone, Copy)]
struct Addresses {
    left: u64,
    weight: u64,
    bias: Option<u64>,
    residual: u64,
    out: u64,
}

impl Addresses {
    /// The largest power of two that divides them all, up to cuBLASLt's default of 256.
    fn alignment(&self) -> u32 {
        let all = self.left | self.weight | self.residual | self.out | self.bias.unwrap_or(0) | 256;
        1 << all.trailing_zeros()
    }
}

/// NVIDIA's advice for its fastest algorithms on Hopper.
const WORKSPACE: usize = 32 << 20;

impl Products {
    fn new(device: &Device) -> Result<Products> {
        cuda(device)?.cuda_stream().context().bind_to_thread().map_err(Error::wrap)?;
        let handle = result::create_handle().map_err(Error::wrap)?;
        Ok(Products { handle, workspace: bytes(WORKSPACE, device)?, chosen: HashMap::new() })
    }

    fn run(&mut self, device: &Device, sizes: Sizes, addresses: Addresses, factor: f32) -> Result<()> {
        let chosen = match self.chosen.entry(sizes) {
            Entry::Occupied(chosen) => chosen.into_mut(),
            Entry::Vacant(place) => place.insert(choose(self.handle, sizes).map_err(Error::wrap)?),
        };
        if let Some(bias) = addresses.bias {
            let pointer = sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER;
            describe(chosen.product, pointer, &bias).map_err(Error::wrap)?;
        }
        let one = 1.0f32;
        let stream = cuda(device)?.cuda_stream();
        // SAFETY: the matrices lie inside their tensors, as `product` has checked; see the module's documentation.
        unsafe {
            result::matmul(
                self.handle,
                chosen.product,
                (&raw const one).cast(),
                (&raw const factor).cast(),
                addresses.weight as *const c_void,
                chosen.weight,
                addresses.left as *const c_void,
                chosen.left,
                addresses.residual as *const c_void,
                chosen.out,
                addresses.out as *mut c_void,
                chosen.out,
                &raw const chosen.algorithm,
                pointer(&self.workspace)? as *mut c_void,
                WORKSPACE,
                stream.cu_stream().cast(),
            )
        }
        .map_err(Error::wrap)
    }
}

/// Describes a product and asks for the best algorithm.
///
/// cuBLASLt has columns where candle has rows, so it computes the transposed product: n x rows is n x k times k x rows.
fn choose(handle: sys::cublasLtHandle_t, sizes: Sizes) -> std::result::Result<Chosen, result::CublasError> {
    use cublasOperation_t::{CUBLAS_OP_N, CUBLAS_OP_T};
    use sys::cublasLtMatmulDescAttributes_t as Attribute;
    use sys::cublasLtMatmulPreferenceAttributes_t as Preference;
    let Sizes { rows, k, n, transposed, .. } = sizes;
    let [rows, k, n] = [rows, k, n].map(|size| size as u64);
    let kind = match sizes.dtype {
        DType::F16 => sys::cudaDataType_t::CUDA_R_16F,
        DType::BF16 => sys::cudaDataType_t::CUDA_R_16BF,
        _ => sys::cudaDataType_t::CUDA_R_32F,
    };
    let product = result::create_matmul_desc(
        sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        sys::cudaDataType_t::CUDA_R_32F,
    )?;
    let operation = if transposed { CUBLAS_OP_T } else { CUBLAS_OP_N };
    describe(product, Attribute::CUBLASLT_MATMUL_DESC_TRANSA, &operation)?;
    describe(product, Attribute::CUBLASLT_MATMUL_DESC_TRANSB, &CUBLAS_OP_N)?;
    if sizes.has_bias {
        let epilogue = sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS;
        describe(product, Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue)?;
    }
    let (height, width) = if transposed { (k, n) } else { (n, k) };
    let weight = result::create_matrix_layout(kind, height, width, height as i64)?;
    let left = result::create_matrix_layout(kind, k, rows, k as i64)?;
    let out = result::create_matrix_layout(kind, n, rows, n as i64)?;
    let preference = result::create_matmul_pref()?;
    let alignments = [
        Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
        Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
        Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
    ];
    let most = Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
    // SAFETY: the attributes are a `uint64_t` and `uint32_t`s, the objects are those created above, and the preference is
    // not used again.
    let found = unsafe {
        result::set_matmul_pref_attribute(preference, most, (&raw const WORKSPACE_BYTES).cast(), 8)?;
        for attribute in alignments {
            result::set_matmul_pref_attribute(preference, attribute, (&raw const sizes.alignment).cast(), 4)?;
        }
        let found = result::get_matmul_algo_heuristic(handle, product, weight, left, out, out, preference);
        result::destroy_matmul_pref(preference)?;
        found?
    };
    Ok(Chosen { product, weight, left, out, algorithm: found.algo })
}

/// [`WORKSPACE`] as cuBLASLt reads it.
static WORKSPACE_BYTES: u64 = WORKSPACE as u64;

/// Sets an attribute of a product, which must have the type `T`.
fn describe<T>(
    product: sys::cublasLtMatmulDesc_t,
    attribute: sys::cublasLtMatmulDescAttributes_t,
    value: &T,
) -> std::result::Result<(), result::CublasError> {
    let (value, size) = (std::ptr::from_ref(value).cast::<c_void>(), size_of::<T>());
    // SAFETY: the callers pass the attribute's type, an enumeration or an address.
    unsafe { result::set_matmul_desc_attribute(product, attribute, value, size) }
}
