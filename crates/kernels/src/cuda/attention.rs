//! Attention: our kernel for half precision and the head sizes of the models, in tiles that keep no scores; otherwise in
//! f32 with the scores of a few queries at a time.

use super::cudnn;
use super::launch::{Arg, Grid, launch, output, ptx};
use super::names::dtype_name;
use crate::reference::attention_in_parts;
use crate::set::Mask;
use candle_core::{DType, Result, Tensor, bail};

const ATTENTION: (&str, &str) = ("maquette_attention", ptx::ATTENTION);

/// The head sizes with a kernel, and how many queries its blocks compute; as in `attention.cu`.
const SIZES: [(usize, usize); 9] =
    [(8, 128), (16, 128), (32, 128), (40, 128), (64, 128), (80, 128), (96, 64), (128, 64), (160, 64)];

/// Scaled dot-product attention of `[B, queries, C]` to `[B, keys, C]`.
pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
    let (batch, queries, channels) = q.dims3()?;
    let keys = k.dims3()?.1;
    if (batch, keys, channels) != k.dims3()? || k.shape() != v.shape() || !channels.is_multiple_of(heads) {
        bail!("no attention of {:?} to {:?} and {:?} with {heads} heads", q.shape(), k.shape(), v.shape())
    }
    let head = channels / heads;
    let block = SIZES.iter().find(|(size, _)| *size == head).map(|(_, queries)| *queries);
    let half = matches!(q.dtype(), DType::F16 | DType::BF16);
    let (true, Some(block)) = (half && queries > 0 && keys > 0, block) else {
        return attention_in_parts(q, k, v, heads, mask, candle_nn::ops::softmax_last_dim);
    };
    let [q, k, v] = [q.contiguous()?, k.contiguous()?, v.contiguous()?];
    let out = output(q.shape(), q.dtype(), q.device())?;
    // For other head sizes cuDNN compiles a kernel in each process, which takes half a second for each number of rows; small
    // calls are bound by their launches.
    let by_cudnn = mask == Mask::None && queries >= 256 && [64, 128].contains(&head);
    if by_cudnn && cudnn::attention(&out, &q, &k, &v, heads)? {
        return Ok(out);
    }
    let args = [
        Arg::Tensor(&out),
        Arg::Tensor(&q),
        Arg::Tensor(&k),
        Arg::Tensor(&v),
        Arg::Count(heads),
        Arg::Count(queries),
        Arg::Count(keys),
        Arg::Float(1.0 / (head as f32).sqrt()),
        Arg::Count(usize::from(mask == Mask::Causal)),
    ];
    let name = format!("attention_{}_{head}", dtype_name(q.dtype()));
    let grid = Grid { blocks: (queries.div_ceil(block), batch * heads), threads: 128, shared: 0 };
    launch(q.device(), ATTENTION, &name, grid, &args)?;
    Ok(out)
}
