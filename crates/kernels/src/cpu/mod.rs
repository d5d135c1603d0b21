//! The operations on the CPU: tensors in, slices to the kernels, tensors out.
//!
//! Half-precision tensors are computed in f32 and rounded afterwards. The kernels split work into tiles by the shapes
//! alone, never by the batch or the number of threads, and sum in a fixed order; that is what keeps rows apart.

mod activations;
mod attention;
mod conv;
mod linear;
mod matrix;
mod norm;

use super::{Activation, Add, Conv2d, GroupNorm, LayerNorm, Linear, Mask};
use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;
use std::ops::Deref;

/// Binds the values of a tensor as a slice of its own name.
macro_rules! values {
    ($name:ident) => {
        let tensor = $name.to_dtype(DType::F32)?.contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        let $name = slice(&storage, layout)?;
    };
    ($name:ident = $tensor:expr) => {
        let $name = $tensor;
        values!($name);
    };
}

fn slice<'a>(storage: &'a impl Deref<Target = Storage>, layout: &Layout) -> Result<&'a [f32]> {
    match storage.deref() {
        Storage::Cpu(CpuStorage::F32(all)) => {
            Ok(&all[layout.start_offset()..layout.start_offset() + layout.shape().elem_count()])
        }
        _ => bail!("a tensor of the model is not on the CPU"),
    }
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)?.to_dtype(like.dtype())
}

pub(super) fn conv2d(x: &Tensor, conv: &Conv2d, add: Add) -> Result<Tensor> {
    let like = x;
    let (batch, inputs, height, width) = x.dims4()?;
    let weight = conv.weight.get();
    let (outputs, expected, kernel, _) = weight.dims4()?;
    let (before, after) = conv.padding.sides();
    let size = |size: usize| (size + before + after).checked_sub(kernel).map(|rest| rest / conv.stride + 1);
    let (Some(out_height), Some(out_width), true) = (size(height), size(width), inputs == expected) else {
        bail!("a convolution of {:?} cannot take an image of {:?}", weight.shape(), x.shape())
    };
    let shape = conv::Shape {
        inputs,
        outputs,
        height,
        width,
        kernel,
        stride: conv.stride,
        before,
        out_height,
        out_width,
    };
    values!(x);
    values!(weight);
    values!(bias = &conv.bias);
    let out = match add {
        Add::Nothing => conv::conv2d(&shape, batch, x, weight, bias, None, None),
        Add::Channels(shift) => {
            values!(shift);
            check(shift, batch * outputs)?;
            conv::conv2d(&shape, batch, x, weight, bias, Some(shift), None)
        }
        Add::Image(image) => {
            values!(image);
            check(image, batch * outputs * out_height * out_width)?;
            conv::conv2d(&shape, batch, x, weight, bias, None, Some(image))
        }
    };
    tensor(out, (batch, outputs, out_height, out_width), like)
}

pub(super) fn linear(x: &Tensor, linear: &Linear, residual: Option<&Tensor>) -> Result<Tensor> {
    let like = x;
    let (batch, tokens, inputs) = x.dims3()?;
    let (expected, outputs) = linear.weight.get().dims2()?;
    if inputs != expected {
        bail!("a linear layer of {:?} cannot take tokens of {:?}", linear.weight.get().shape(), x.shape())
    }
    let shape = linear::Shape { tokens, inputs, outputs };
    let layer = |x: &[f32], weight: &[f32], bias: Option<&[f32]>| {
        let Some(residual) = residual else { return Ok(linear::linear(&shape, x, weight, bias, None)) };
        values!(residual);
        check(residual, batch * tokens * outputs)?;
        Ok(linear::linear(&shape, x, weight, bias, Some(residual)))
    };
    tensor(with_layer(x, linear, layer)?, (batch, tokens, outputs), like)
}

pub(super) fn image_to_tokens(x: &Tensor, linear: &Linear) -> Result<Tensor> {
    let (batch, inputs, height, width) = x.dims4()?;
    let (expected, outputs) = linear.weight.get().dims2()?;
    if inputs != expected {
        bail!("a linear layer of {:?} cannot take an image of {:?}", linear.weight.get().shape(), x.shape())
    }
    let shape = linear::Shape { tokens: height * width, inputs, outputs };
    let out = with_layer(x, linear, |x, weight, bias| Ok(linear::from_image(&shape, x, weight, bias)))?;
    tensor(out, (batch, height * width, outputs), x)
}

pub(super) fn tokens_to_image(x: &Tensor, linear: &Linear, residual: &Tensor) -> Result<Tensor> {
    let (batch, tokens, inputs) = x.dims3()?;
    let (expected, outputs) = linear.weight.get().dims2()?;
    let (rows, channels, height, width) = residual.dims4()?;
    if (inputs, batch, outputs, tokens) != (expected, rows, channels, height * width) {
        bail!("a linear layer of {:?} cannot take tokens of {:?}", linear.weight.get().shape(), x.shape())
    }
    let shape = linear::Shape { tokens, inputs, outputs };
    let out = with_layer(x, linear, |x, weight, bias| {
        values!(residual);
        Ok(linear::to_image(&shape, x, weight, bias, residual))
    })?;
    tensor(out, (batch, channels, height, width), x)
}

fn with_layer(
    x: &Tensor,
    linear: &Linear,
    run: impl FnOnce(&[f32], &[f32], Option<&[f32]>) -> Result<Vec<f32>>,
) -> Result<Vec<f32>> {
    values!(x);
    values!(weight = linear.weight.get());
    let Some(bias) = &linear.bias else { return run(x, weight, None) };
    values!(bias);
    run(x, weight, Some(bias))
}

pub(super) fn group_norm(x: &Tensor, norm: &GroupNorm, activation: Activation) -> Result<Tensor> {
    let like = x;
    let (_, channels, height, width) = x.dims4()?;
    values!(x);
    values!(weight = &norm.weight);
    values!(bias = &norm.bias);
    check(weight, channels)?;
    let silu = activation == Activation::Silu;
    let out = norm::group_norm(x, weight, bias, channels / norm.groups, height * width, norm.eps, silu);
    tensor(out, like.shape(), like)
}

pub(super) fn layer_norm(x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
    let like = x;
    let (_, _, channels) = x.dims3()?;
    values!(x);
    values!(weight = &norm.weight);
    values!(bias = &norm.bias);
    check(weight, channels)?;
    tensor(norm::layer_norm(x, weight, bias, norm.eps), like.shape(), like)
}

pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
    let like = q;
    let (batch, queries, channels) = q.dims3()?;
    let (_, keys, _) = k.dims3()?;
    values!(q);
    values!(k);
    values!(v);
    check(k, batch * keys * channels)?;
    check(v, batch * keys * channels)?;
    let shape = attention::Shape { queries, keys, channels, heads, causal: mask == Mask::Causal };
    tensor(attention::attention(&shape, q, k, v), like.shape(), like)
}

pub(super) fn geglu(x: &Tensor) -> Result<Tensor> {
    let like = x;
    let (batch, tokens, channels) = x.dims3()?;
    let half = channels / 2;
    values!(x);
    let mut out = vec![0.0; batch * tokens * half];
    out.par_chunks_mut(half).zip(x.par_chunks(channels)).with_min_len(TOKENS).for_each(|(out, x)| {
        activations::geglu(out, &x[..half], &x[half..]);
    });
    tensor(out, (batch, tokens, half), like)
}

pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    each(x, activations::gelu)
}

pub(super) fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    each(x, activations::quick_gelu)
}

pub(super) fn silu(x: &Tensor) -> Result<Tensor> {
    each(x, activations::silu)
}

pub(super) fn upsample_nearest(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let like = x;
    let (batch, channels, from_height, from_width) = x.dims4()?;
    values!(x);
    let mut out = vec![0.0; batch * channels * height * width];
    let planes = x.par_chunks(from_height * from_width);
    out.par_chunks_mut(height * width).zip(planes).for_each(|(out, x)| {
        for (y, line) in out.chunks_mut(width).enumerate() {
            let from = &x[y * from_height / height * from_width..][..from_width];
            if width == 2 * from_width {
                for (pair, &value) in line.chunks_mut(2).zip(from) {
                    pair.fill(value);
                }
            } else {
                for (i, value) in line.iter_mut().enumerate() {
                    *value = from[i * from_width / width];
                }
            }
        }
    });
    tensor(out, (batch, channels, height, width), like)
}

/// How many tokens at least are worth a task of their own.
const TOKENS: usize = 16;

fn each(x: &Tensor, curve: fn(&mut [f32], &[f32])) -> Result<Tensor> {
    const CHUNK: usize = 16384;
    let like = x;
    values!(x);
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(out, x)| curve(out, x));
    tensor(out, like.shape(), like)
}

fn check(values: &[f32], expected: usize) -> Result<()> {
    if values.len() != expected {
        bail!("an operand has {} values instead of {expected}", values.len())
    }
    Ok(())
}
