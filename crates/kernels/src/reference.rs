//! The kernels in candle's operations: differentiable, on every device, and the reference in tests of the other sets.
//!
//! Operations whose gradient is missing or wrong in candle are avoided: `upsample_nearest2d` (only integer factors, and
//! its gradient overwrites that of other uses of the tensor), `max_keepdim` (detached here: it cancels out in a softmax),
//! strided `conv2d` where the steps of the kernel leave different remainders on the two axes (the input is cropped).

use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands};
use candle_core::{D, DType, Result, Tensor};

/// candle's operations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference;

impl Kernels for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn is_differentiable(&self) -> bool {
        true
    }

    fn storage_dtype(&self, dtype: DType) -> DType {
        dtype
    }

    fn accumulation_dtype(&self, dtype: DType) -> DType {
        accumulation(dtype)
    }

    fn conv2d(&self, x: &Tensor, conv: ConvOperands, add: Add) -> Result<Tensor> {
        let ConvOperands { weight, stride, padding, .. } = conv;
        let (before, after) = padding.sides();
        let (_, _, height, width) = x.dims4()?;
        let kernel = weight.dims4()?.2;
        // The remainder at the end of an axis that the kernel's steps do not reach.
        let rest = |size: usize| (size + before + after).saturating_sub(kernel) % stride;
        let h = if before == after && rest(height) == rest(width) {
            x.conv2d(weight, before, stride, 1, 1)?
        } else {
            let padded = x.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?;
            let (_, _, below, beside) = padded.dims4()?;
            let padded = padded.narrow(2, 0, below - rest(height))?.narrow(3, 0, beside - rest(width))?;
            padded.contiguous()?.conv2d(weight, 0, stride, 1, 1)?
        };
        let h = match conv.bias {
            Some(bias) => h.broadcast_add(&bias.reshape((1, (), 1, 1))?)?,
            None => h,
        };
        match add {
            Add::Nothing => Ok(h),
            Add::Channels(shift) => h.broadcast_add(&shift.reshape((x.dims4()?.0, (), 1, 1))?),
            Add::Image(image) => h + image,
        }
    }

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        let mut h = x.broadcast_matmul(linear.weight)?;
        if let Some(bias) = linear.bias {
            h = h.broadcast_add(bias)?;
        }
        match residual {
            Some(residual) => h + residual,
            None => Ok(h),
        }
    }

    fn image_to_tokens(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        self.linear(&x.flatten_from(2)?.transpose(1, 2)?.contiguous()?, linear, None)
    }

    fn tokens_to_image(&self, x: &Tensor, linear: LinearOperands, residual: &Tensor) -> Result<Tensor> {
        self.linear(x, linear, None)?.transpose(1, 2)?.contiguous()?.reshape(residual.shape())? + residual
    }

    fn group_norm(&self, x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor> {
        let (batch, channels, _, _) = x.dims4()?;
        let wide = accumulation(x.dtype());
        let grouped = x.to_dtype(wide)?.reshape((batch, groups, ()))?;
        let h = standardised(&grouped, norm.eps)?.reshape(x.shape())?;
        let of_channels = |t: &Tensor| t.to_dtype(wide)?.reshape((1, channels, 1, 1));
        let h = h.broadcast_mul(&of_channels(norm.weight)?)?.broadcast_add(&of_channels(norm.bias)?)?;
        match then {
            Activation::None => h.to_dtype(x.dtype()),
            Activation::Silu => h.silu()?.to_dtype(x.dtype()),
        }
    }

    fn layer_norm(&self, x: &Tensor, norm: NormOperands) -> Result<Tensor> {
        let wide = accumulation(x.dtype());
        let h = standardised(&x.to_dtype(wide)?, norm.eps)?;
        let h = h.broadcast_mul(&norm.weight.to_dtype(wide)?)?.broadcast_add(&norm.bias.to_dtype(wide)?)?;
        h.to_dtype(x.dtype())
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
        attention_in_parts(q, k, v, heads, mask, softmax)
    }

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        let half = x.dim(D::Minus1)? / 2;
        let gate = x.narrow(D::Minus1, half, half)?.contiguous()?.gelu_erf()?;
        x.narrow(D::Minus1, 0, half)? * gate
    }

    fn gelu(&self, x: &Tensor) -> Result<Tensor> {
        x.gelu_erf()
    }

    fn quick_gelu(&self, x: &Tensor) -> Result<Tensor> {
        // Not x / (1 + e^(-1.702 x)): its gradient is NaN where the power overflows.
        // Not in f16, where the product overflows beyond 38488.
        let wide = x.to_dtype(accumulation(x.dtype()))?;
        ((wide * 1.702)?.silu()? / 1.702)?.to_dtype(x.dtype())
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor> {
        x.silu()
    }

    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
        let (_, _, from_height, from_width) = x.dims4()?;
        let nearest = |from: usize, to: usize| -> Result<Tensor> {
            let places: Vec<u32> = (0..to).map(|i| (i * from / to) as u32).collect();
            Tensor::from_vec(places, to, x.device())
        };
        let rows = x.contiguous()?.index_select(&nearest(from_height, height)?, 2)?;
        rows.index_select(&nearest(from_width, width)?, 3)
    }
}

/// The most scores that attention computes at once.
///
/// candle's CUDA kernels corrupt or refuse tensors from 2^31 values on, depending on the operation.
const SCORES: usize = 1 << 28;

/// Attention with all scores of some queries at a time.
pub(crate) fn attention_in_parts(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    mask: Mask,
    softmax: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (batch, queries, channels) = q.dims3()?;
    let keys = k.dims3()?.1;
    let wide = accumulation(q.dtype());
    let of_heads = |t: &Tensor| {
        let split = t.to_dtype(wide)?.reshape((batch, (), heads, channels / heads))?;
        split.transpose(1, 2)?.contiguous()
    };
    let scale = 1.0 / ((channels / heads) as f64).sqrt();
    let (q_heads, k_heads, v_heads) = ((of_heads(q)? * scale)?, of_heads(k)?.t()?, of_heads(v)?);
    let part = (SCORES / (batch * heads * keys).max(1)).max(1);
    let attend = |first: usize| {
        let count = part.min(queries - first);
        let mut scores = q_heads.narrow(2, first, count)?.contiguous()?.matmul(&k_heads)?;
        if mask == Mask::Causal {
            let hidden = |i: usize| (0..keys).map(move |j| if j > i { f32::NEG_INFINITY } else { 0.0 });
            let hidden: Vec<f32> = (first..first + count).flat_map(hidden).collect();
            let hidden = Tensor::from_vec(hidden, (count, keys), q.device())?.to_dtype(wide)?;
            scores = scores.broadcast_add(&hidden)?;
        }
        softmax(&scores)?.matmul(&v_heads)
    };
    let parts = (0..queries).step_by(part).map(attend).collect::<Result<Vec<_>>>()?;
    let h = if let [all] = &parts[..] { all.clone() } else { Tensor::cat(&parts, 2)? };
    h.transpose(1, 2)?.reshape((batch, queries, channels))?.to_dtype(q.dtype())
}

/// Norms and softmax are computed in f32, or in f64 where that is the model's dtype.
pub(crate) fn accumulation(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}

/// Mean 0 and variance 1 along the last axis.
fn standardised(x: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)
}

/// e^x of each value, divided by their sum along the last axis.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor> {
    let powers = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)
}
