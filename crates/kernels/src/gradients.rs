//! Gradients of operations that candle would follow back slowly, as few large operations of candle's.
//!
//! Not here: those of the CPU's kernels (`cpu/gradients`).

use crate::layout::{as_image, channels_last};
use crate::reference::accumulation;
use candle_core::{Result, Tensor};

/// The gradients of tokens `x`, `[.., inputs]`, of a layer's weight, `[inputs, outputs]`, and of its bias if it has one, for that
/// of the result, `[.., outputs]`.
pub(crate) fn linear(
    x: &Tensor,
    weight: &Tensor,
    has_bias: bool,
    gradient: &Tensor,
    wanted: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    let (inputs, outputs) = weight.dims2()?;
    let gradient = gradient.contiguous()?.reshape(((), outputs))?;
    let of_x = || gradient.matmul(&weight.t()?)?.reshape(x.shape());
    let of_weight = || x.contiguous()?.reshape(((), inputs))?.t()?.matmul(&gradient);
    let mut found = vec![wanted[0].then(of_x).transpose()?, wanted[1].then(of_weight).transpose()?];
    if has_bias {
        found.push(wanted[2].then(|| total(&gradient, 0)).transpose()?);
    }
    Ok(found)
}

/// What the gradients of attention depend on: `[B, queries, C]` and `[B, keys, C]`.
pub(crate) struct Attention {
    pub q: Tensor,
    pub k: Tensor,
    pub v: Tensor,
    /// The result.
    pub out: Tensor,
    pub heads: usize,
}

/// The most scores that are kept at once, 1 GiB in f32.
const SCORES: usize = 1 << 28;

/// The gradients of queries, keys and values, from the scores of some queries of one row at a time.
///
/// With P the softmax of the scores and D the gradient of the result O, the gradient of the scores is P (D V' - sum(D O)), where the sum
/// is that of a query (Dao et al., arXiv 2205.14135, appendix B.4).
pub(crate) fn attention(
    of: &Attention,
    softmax: impl Fn(&Tensor) -> Result<Tensor>,
    gradient: &Tensor,
) -> Result<Vec<Option<Tensor>>> {
    let Attention { q, k, v, out, heads } = of;
    let ((batch, queries, channels), keys) = (q.dims3()?, k.dim(1)?);
    let head = channels / heads;
    let scale = 1.0 / (head as f64).sqrt();
    let most = (SCORES / (heads * keys).max(1)).max(1);
    let (mut of_q, mut of_k, mut of_v) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..batch {
        // `[heads, tokens, head]`
        let of_heads = |x: &Tensor| {
            let x = x.narrow(0, row, 1)?.to_dtype(accumulation(q.dtype()))?;
            x.reshape(((), *heads, head))?.transpose(0, 1)?.contiguous()
        };
        let tokens = |x: Tensor| x.transpose(0, 1)?.reshape((1, (), channels))?.to_dtype(q.dtype());
        let (all_q, k, v) = ((of_heads(q)? * scale)?, of_heads(k)?, of_heads(v)?);
        let (all_out, all_slopes) = (of_heads(out)?, of_heads(gradient)?);
        let (mut row_q, mut row_k, mut row_v) = (Vec::new(), None, None);
        for first in (0..queries).step_by(most) {
            let part = |x: &Tensor| x.narrow(1, first, most.min(queries - first))?.contiguous();
            let (q, out, slopes) = (part(&all_q)?, part(&all_out)?, part(&all_slopes)?);
            let shares = softmax(&q.matmul(&k.t()?)?)?;
            let sums = (&slopes * out)?.sum_keepdim(2)?;
            let of_scores = (slopes.matmul(&v.t()?)?.broadcast_sub(&sums)? * &shares)?;
            row_q.push((of_scores.matmul(&k)? * scale)?);
            row_k = Some(sum(row_k, of_scores.t()?.matmul(&q)?)?);
            row_v = Some(sum(row_v, shares.t()?.matmul(&slopes)?)?);
        }
        of_q.push(tokens(Tensor::cat(&row_q, 1)?)?);
        of_k.extend(row_k.map(tokens).transpose()?);
        of_v.extend(row_v.map(tokens).transpose()?);
    }
    [of_q, of_k, of_v].iter().map(|rows| Tensor::cat(rows, 0).map(Some)).collect()
}

/// The sum along an axis. candle's kernels would add values of half precision in half precision.
pub(crate) fn total(x: &Tensor, axis: usize) -> Result<Tensor> {
    x.to_dtype(accumulation(x.dtype()))?.sum(axis)?.to_dtype(x.dtype())
}

fn sum(before: Option<Tensor>, more: Tensor) -> Result<Tensor> {
    before.map_or(Ok(more.clone()), |before| before + more)
}

/// The gradient of an image `[B, channels, height, width]` that was enlarged by whole factors.
pub(crate) fn upsample_nearest((height, width): (usize, usize), gradient: &Tensor) -> Result<Tensor> {
    let (batch, channels, to_height, to_width) = gradient.dims4()?;
    let (rows, columns) = (to_height / height, to_width / width);
    let lines = channels_last(gradient)?.reshape((batch * height, rows, width, columns * channels))?;
    let columns_of = |sum: Tensor| sum.reshape((batch * height * width, columns, channels))?.sum(1);
    as_image(&columns_of(lines.sum(1)?)?.reshape((batch, height, width, channels))?)
}

/// The gradients of two images that were concatenated along their channels.
pub(crate) fn concat(channels: [usize; 2], gradient: &Tensor) -> Result<Vec<Option<Tensor>>> {
    let image = channels_last(gradient)?;
    let part = |first, count| as_image(&image.narrow(3, first, count)?.contiguous()?).map(Some);
    Ok(vec![part(0, channels[0])?, part(channels[0], channels[1])?])
}
