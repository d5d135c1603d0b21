//! Convolutions and attention by cuDNN, where it is installed and has an engine for the sizes.
//!
//! cuDNN describes a computation as a graph of operations and proposes engines for it; the chosen one is a plan, kept by
//! sizes. The numbers are those of kinds and attributes in `cudnn_graph.h` of cuDNN 9. Not here: what is added to a
//! convolution. On an H200, graphs that also add a bias and an image are no faster than a kernel of ours afterwards
//! and take 0.7 s to compile, and one that adds a number for each row and channel read beyond its operands.

mod attention;
mod library;

pub(super) use attention::attention;

use super::launch::{bytes, pointer};
use candle_core::{DType, Result, Tensor, bail};
use library::{Descriptor, Handle, Pointer};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_int;
use std::rc::Rc;

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Convolution {
    /// Rows, channels, height and width of the image.
    pub image: [usize; 4],
    /// The same of the result.
    pub result: [usize; 4],
    /// The kernel's width and height.
    pub kernel: usize,
    /// Pixels between the kernel's positions.
    pub stride: usize,
    /// Zeros before and after each axis.
    pub padding: (usize, usize),
}

/// Device, dtype and sizes.
type Key = (usize, DType, Convolution);

thread_local! {
    /// The plans; `None` where there is none.
    static PLANS: RefCell<HashMap<Key, Option<Rc<Plan>>>> = RefCell::new(HashMap::new());
}

/// Writes to `out`, `[B, h, w, outputs]`, the image `x`, `[B, h, w, inputs]`, convolved with `weight`,
/// `[outputs, kernel, kernel, inputs]`. Whether it could; if not, `out` is unchanged.
pub(super) fn conv2d(out: &Tensor, x: &Tensor, weight: &Tensor, sizes: Convolution) -> Result<bool> {
    let Some(handle) = Handle::of(out.device().as_cuda_device()?) else { return Ok(false) };
    let operands = [pointer(x)?, pointer(weight)?, pointer(out)?];
    if operands.iter().any(|address| !address.is_multiple_of(ALIGNMENT)) {
        return Ok(false);
    }
    let key = (handle.device, out.dtype(), sizes);
    let kept = PLANS.with_borrow(|plans| plans.get(&key).cloned());
    let plan = kept.unwrap_or_else(|| {
        // An error means that cuDNN cannot compute it.
        let plan = Plan::new(handle, out.dtype(), sizes).unwrap_or(None).map(Rc::new);
        PLANS.with_borrow_mut(|plans| plans.insert(key, plan.clone()));
        plan
    });
    let Some(plan) = plan else { return Ok(false) };
    let workspace = (plan.workspace > 0).then(|| bytes(plan.workspace, out.device())).transpose()?;
    let workspace = workspace.as_ref().map(pointer).transpose()?.unwrap_or(0);
    let pack = Descriptor::new(VARIANT_PACK)?
        .numbers(1000, &[IMAGE, WEIGHT, RESULT])?
        .pointers(1001, &operands.map(|address| address as Pointer))?
        .pointers(1003, &[workspace as Pointer])?
        .finish()?;
    plan.engine.execute(handle, &pack)?;
    Ok(true)
}

/// A convolution with an engine that computes it.
#[derive(Debug)]
struct Plan {
    engine: Descriptor,
    /// Bytes of temporary memory.
    workspace: usize,
    /// What the engine was made from, which must live as long.
    _parts: Vec<Descriptor>,
}

impl Plan {
    /// The first engine that cuDNN proposes whose results do not change from call to call, with sums in f32.
    ///
    /// Proposals depend on the sizes alone, so that a call gives the same bytes in every run on a card.
    fn new(handle: Handle, dtype: DType, sizes: Convolution) -> Result<Option<Plan>> {
        let Convolution { image, result, kernel, stride, padding: (before, after) } = sizes;
        let x = tensor(IMAGE, image, dtype)?;
        let weight = tensor(WEIGHT, [result[1], image[1], kernel, kernel], dtype)?;
        let y = tensor(RESULT, result, dtype)?;
        let convolution = Descriptor::new(1)?
            .choice(100, DATA_TYPE, data_type(DType::F32)?)?
            .choice(101, 7, 1)? // Cross-correlation: what frameworks call a convolution.
            .numbers(102, &[1, 1])?
            .numbers(103, &[stride as i64; 2])?
            .numbers(104, &[after as i64; 2])?
            .numbers(105, &[before as i64; 2])?
            .numbers(106, &[2])?
            .finish()?;
        let operation = Descriptor::new(10)?
            .float(700, 1.0)?
            .float(701, 0.0)?
            .parts(702, &[&convolution])?
            .parts(703, &[&weight])?
            .parts(704, &[&x])?
            .parts(705, &[&y])?
            .finish()?;
        let Some((engine, workspace, mut parts)) = engine(handle, &operation)? else { return Ok(None) };
        parts.extend([operation, convolution, x, weight, y]);
        Ok(Some(Plan { engine, workspace, _parts: parts }))
    }
}

/// The first engine that cuDNN proposes for an operation, the bytes of its temporary memory, and what it was made from.
fn engine(handle: Handle, operation: &Descriptor) -> Result<Option<(Descriptor, usize, Vec<Descriptor>)>> {
    let graph = Descriptor::new(15)?.handle(800, handle)?.parts(801, &[operation])?.finish()?;
    let proposals = Descriptor::new(4)?.parts(201, &[&graph])?.choice(200, 8, HEURISTICS)?.finish()?;
    for proposal in proposals.children(202, 3, 16)? {
        if !is_exact(&proposal).unwrap_or(false) {
            continue;
        }
        let engine = Descriptor::new(5)
            .and_then(|engine| engine.handle(400, handle)?.parts(401, &[&proposal])?.finish());
        // An engine can refuse what the heuristics proposed.
        let Ok(engine) = engine else { continue };
        let workspace = engine.number(402)?.max(0) as usize;
        return Ok(Some((engine, workspace, vec![proposal, proposals, graph])));
    }
    Ok(None)
}

/// The numbers of the tensors in a graph.
const IMAGE: i64 = 1;
const WEIGHT: i64 = 2;
const RESULT: i64 = 3;

const VARIANT_PACK: c_int = 16;
/// `CUDNN_TYPE_DATA_TYPE`
const DATA_TYPE: c_int = 1;
/// `CUDNN_HEUR_MODE_A`
const HEURISTICS: c_int = 3;
/// Bytes that divide the addresses of operands.
const ALIGNMENT: u64 = 16;

/// `[B, channels, height, width]` with the channels last in memory.
fn tensor(number: i64, [batch, channels, height, width]: [usize; 4], dtype: DType) -> Result<Descriptor> {
    let strides = [height * width * channels, 1, width * channels, channels];
    Descriptor::new(17)?
        .choice(901, DATA_TYPE, data_type(dtype)?)?
        .numbers(902, &[batch, channels, height, width].map(|size| size as i64))?
        .numbers(903, &strides.map(|stride| stride as i64))?
        .numbers(906, &[number])?
        .numbers(900, &[ALIGNMENT as i64])?
        .finish()
}

/// Whether an engine gives the same bytes at every call, and neither sums in less than f32 nor transforms to Winograd's
/// or Fourier's domain.
fn is_exact(proposal: &Descriptor) -> Result<bool> {
    /// `CUDNN_NUMERICAL_NOTE_*`: down-converted inputs, reduced-precision sums, FFT, non-deterministic, four of Winograd.
    const INEXACT: std::ops::RangeInclusive<c_int> = 1..=8;
    let engines = proposal.children(300, 2, 1)?;
    let Some(engine) = engines.first() else { return Ok(false) };
    Ok(!engine.choices(1303, 11)?.iter().any(|note| INEXACT.contains(note)))
}

/// `cudnnDataType_t`
fn data_type(dtype: DType) -> Result<c_int> {
    match dtype {
        DType::F32 => Ok(0),
        DType::F16 => Ok(2),
        DType::BF16 => Ok(9),
        dtype => bail!("cuDNN is not used in {dtype:?}"),
    }
}
