//! The operations in candle's own: the reference for the CPU's kernels, and what GPUs run.

use super::{Activation, Add, Conv2d, GroupNorm, LayerNorm, Linear, Mask};
use candle_core::{D, DType, Result, Tensor};

pub(super) fn conv2d(x: &Tensor, conv: &Conv2d, add: Add) -> Result<Tensor> {
    let (before, after) = conv.padding.sides();
    let weight = conv.weight.get();
    let h = if before == after {
        x.conv2d(&weight, before, conv.stride, 1, 1)?
    } else {
        let padded = x.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?;
        padded.conv2d(&weight, 0, conv.stride, 1, 1)?
    };
    let h = h.broadcast_add(&conv.bias.reshape((1, (), 1, 1))?)?;
    match add {
        Add::Nothing => Ok(h),
        Add::Channels(shift) => h.broadcast_add(&shift.reshape((x.dims4()?.0, (), 1, 1))?),
        Add::Image(image) => h + image,
    }
}

pub(super) fn linear(x: &Tensor, linear: &Linear, residual: Option<&Tensor>) -> Result<Tensor> {
    let mut h = x.broadcast_matmul(&linear.weight.get())?;
    if let Some(bias) = &linear.bias {
        h = h.broadcast_add(bias)?;
    }
    match residual {
        Some(residual) => h + residual,
        None => Ok(h),
    }
}

pub(super) fn image_to_tokens(x: &Tensor, layer: &Linear) -> Result<Tensor> {
    linear(&x.flatten_from(2)?.transpose(1, 2)?.contiguous()?, layer, None)
}

pub(super) fn tokens_to_image(x: &Tensor, layer: &Linear, residual: &Tensor) -> Result<Tensor> {
    linear(x, layer, None)?.transpose(1, 2)?.contiguous()?.reshape(residual.shape())? + residual
}

pub(super) fn group_norm(x: &Tensor, norm: &GroupNorm, activation: Activation) -> Result<Tensor> {
    let (batch, channels, _, _) = x.dims4()?;
    let grouped = x.to_dtype(DType::F32)?.reshape((batch, norm.groups, ()))?;
    let h = standardised(&grouped, norm.eps)?.reshape(x.shape())?;
    let of_channels = |t: &Tensor| t.to_dtype(DType::F32)?.reshape((1, channels, 1, 1));
    let h = h.broadcast_mul(&of_channels(&norm.weight)?)?.broadcast_add(&of_channels(&norm.bias)?)?;
    match activation {
        Activation::None => h.to_dtype(x.dtype()),
        Activation::Silu => h.silu()?.to_dtype(x.dtype()),
    }
}

pub(super) fn layer_norm(x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
    let h = standardised(&x.to_dtype(DType::F32)?, norm.eps)?;
    let h = h
        .broadcast_mul(&norm.weight.to_dtype(DType::F32)?)?
        .broadcast_add(&norm.bias.to_dtype(DType::F32)?)?;
    h.to_dtype(x.dtype())
}

/// Mean 0 and variance 1 along the last axis.
fn standardised(x: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)
}

pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
    let (batch, queries, channels) = q.dims3()?;
    let keys = k.dims3()?.1;
    let of_heads = |t: &Tensor| {
        let split = t.to_dtype(DType::F32)?.reshape((batch, (), heads, channels / heads))?;
        split.transpose(1, 2)?.contiguous()
    };
    let scale = 1.0 / ((channels / heads) as f64).sqrt();
    let mut scores = (of_heads(q)? * scale)?.matmul(&of_heads(k)?.t()?)?;
    if mask == Mask::Causal {
        let hidden = |i: usize| (0..keys).map(move |j| if j > i { f32::NEG_INFINITY } else { 0.0 });
        let hidden: Vec<f32> = (0..queries).flat_map(hidden).collect();
        scores = scores.broadcast_add(&Tensor::from_vec(hidden, (queries, keys), q.device())?)?;
    }
    let scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
    let h = weights.matmul(&of_heads(v)?)?;
    h.transpose(1, 2)?.reshape((batch, queries, channels))?.to_dtype(q.dtype())
}

pub(super) fn geglu(x: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let gate = x.narrow(D::Minus1, half, half)?.contiguous()?.gelu_erf()?;
    x.narrow(D::Minus1, 0, half)? * gate
}

pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    x.gelu_erf()
}

pub(super) fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    let one_more = ((x * -1.702)?.exp()? + 1.0)?;
    x / one_more
}

pub(super) fn silu(x: &Tensor) -> Result<Tensor> {
    x.silu()
}

pub(super) fn upsample_nearest(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    x.upsample_nearest2d(height, width)
}
