//! Scaled dot-product attention: cuDNN's operation for it, since 9.13.1.
//!
//! Its attributes are those that `UnifiedSDPANode` of NVIDIA's cudnn-frontend sets.

use super::library::{Descriptor, Handle, Pointer};
use super::{ALIGNMENT, DATA_TYPE, VARIANT_PACK, data_type, engine};
use crate::cuda::launch::{bytes, pointer};
use candle_core::{DType, Result, Tensor};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Rows, heads, queries, keys, channels of a head.
type Sizes = [usize; 5];
/// Device, dtype and sizes.
type Key = (usize, DType, Sizes);

thread_local! {
    /// The plans; `None` where there is none.
    static PLANS: RefCell<HashMap<Key, Option<Rc<Plan>>>> = RefCell::new(HashMap::new());
}

/// Writes to `out` the attention of `q`, `[B, queries, C]`, to `k` and `v`, `[B, keys, C]`. Whether it could; if not,
/// `out` is unchanged.
pub(in crate::cuda) fn attention(
    out: &Tensor,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
) -> Result<bool> {
    let (batch, queries, channels) = q.dims3()?;
    let (keys, head) = (k.dim(1)?, channels / heads);
    let Some(handle) = Handle::of(out.device().as_cuda_device()?) else { return Ok(false) };
    let operands = [pointer(q)?, pointer(k)?, pointer(v)?, pointer(out)?];
    if !head.is_multiple_of(8) || operands.iter().any(|address| !address.is_multiple_of(ALIGNMENT)) {
        return Ok(false);
    }
    let key = (handle.device, out.dtype(), [batch, heads, queries, keys, head]);
    let kept = PLANS.with_borrow(|plans| plans.get(&key).cloned());
    let plan = kept.unwrap_or_else(|| {
        // An error means that cuDNN cannot compute it.
        let plan = Plan::new(handle, key.1, key.2).unwrap_or(None).map(Rc::new);
        PLANS.with_borrow_mut(|plans| plans.insert(key, plan.clone()));
        plan
    });
    let Some(plan) = plan else { return Ok(false) };
    let workspace = (plan.workspace > 0).then(|| bytes(plan.workspace, out.device())).transpose()?;
    let workspace = workspace.as_ref().map(pointer).transpose()?.unwrap_or(0);
    let mut scale = 1.0 / (head as f32).sqrt();
    let [q, k, v, result] = operands.map(|address| address as Pointer);
    let pack = Descriptor::new(VARIANT_PACK)?
        .numbers(1000, &[QUERIES, KEYS, VALUES, RESULT, SCALE])?
        .pointers(1001, &[q, k, v, result, (&raw mut scale).cast()])?
        .pointers(1003, &[workspace as Pointer])?
        .finish()?;
    plan.engine.execute(handle, &pack)?;
    Ok(true)
}

/// The numbers of the tensors in a graph.
const QUERIES: i64 = 1;
const KEYS: i64 = 2;
const VALUES: i64 = 3;
const RESULT: i64 = 4;
const SCALE: i64 = 5;

#[derive(Debug)]
struct Plan {
    engine: Descriptor,
    /// Bytes of temporary memory.
    workspace: usize,
    /// What the engine was made from, which must live as long.
    _parts: Vec<Descriptor>,
}

impl Plan {
    fn new(handle: Handle, dtype: DType, [batch, heads, queries, keys, head]: Sizes) -> Result<Option<Plan>> {
        // `[B, tokens, heads * head]` in memory.
        let tokens = |number, count: usize| -> Result<Descriptor> {
            let strides = [count * heads * head, head, heads * head, 1];
            Descriptor::new(17)?
                .choice(901, DATA_TYPE, data_type(dtype)?)?
                .numbers(902, &[batch, heads, count, head].map(|size| size as i64))?
                .numbers(903, &strides.map(|stride| stride as i64))?
                .numbers(906, &[number])?
                .numbers(900, &[ALIGNMENT as i64])?
                .finish()
        };
        let (q, k) = (tokens(QUERIES, queries)?, tokens(KEYS, keys)?);
        let (v, out) = (tokens(VALUES, keys)?, tokens(RESULT, queries)?);
        // A number on the host.
        let scale = Descriptor::new(17)?
            .choice(901, DATA_TYPE, data_type(DType::F32)?)?
            .numbers(902, &[1; 4])?
            .numbers(903, &[1; 4])?
            .numbers(906, &[SCALE])?
            .numbers(900, &[ALIGNMENT as i64])?
            .flag(908, true)?
            .finish()?;
        let operation = Descriptor::new(41)?
            .parts(2800, &[&q])?
            .parts(2801, &[&k])?
            .parts(2802, &[&v])?
            .parts(2803, &[&out])?
            .parts(2805, &[&scale])?
            .finish()?;
        let Some((engine, workspace, mut parts)) = engine(handle, &operation)? else { return Ok(None) };
        parts.extend([operation, q, k, v, out, scale]);
        Ok(Some(Plan { engine, workspace, _parts: parts }))
    }
}
