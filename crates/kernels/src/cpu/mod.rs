//! The CPU kernels in f32: from tensors to slices for the kernels, and back.
//!
//! Half-precision tensors are computed in f32 and rounded afterwards. The kernels split work into tiles only by the
//! shapes, never by the batch or the number of threads, and sum in a fixed order, so rows do not depend on each other.
//! Not here: gradients.

mod activations;
mod attention;
mod conv;
mod linear;
mod matrix;
mod norm;
mod softmax;

use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands};
use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;
use std::ops::Deref;

/// Shadows a tensor with the slice of its values.
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

/// The custom CPU kernels: computed in f32 for every dtype.
#[derive(Debug)]
pub(crate) struct CpuF32;

impl Kernels for CpuF32 {
    fn name(&self) -> &'static str {
        "cpu-f32"
    }

    fn is_differentiable(&self) -> bool {
        false
    }

    fn storage_dtype(&self, _: DType) -> DType {
        DType::F32
    }

    fn accumulation_dtype(&self, _: DType) -> DType {
        DType::F32
    }

    fn conv2d(&self, x: &Tensor, conv: ConvOperands, add: Add) -> Result<Tensor> {
        let like = x;
        let ConvOperands { weight, bias, stride, padding } = conv;
        let (batch, inputs, height, width) = x.dims4()?;
        let (outputs, _, kernel, _) = weight.dims4()?;
        let (before, _) = padding.sides();
        let (out_height, out_width) = conv.output_size(x)?;
        let shape =
            conv::Shape { inputs, outputs, height, width, kernel, stride, before, out_height, out_width };
        let bias = match bias {
            Some(bias) => bias.clone(),
            None => Tensor::zeros(outputs, DType::F32, &Device::Cpu)?,
        };
        values!(x);
        values!(weight);
        values!(bias);
        check(bias, outputs)?;
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

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        let (batch, tokens, inputs) = x.dims3()?;
        let outputs = linear.outputs(inputs, x)?;
        let shape = linear::Shape { tokens, inputs, outputs };
        let layer = |x: &[f32], weight: &[f32], bias: Option<&[f32]>| {
            let Some(residual) = residual else { return Ok(linear::linear(&shape, x, weight, bias, None)) };
            values!(residual);
            check(residual, batch * tokens * outputs)?;
            Ok(linear::linear(&shape, x, weight, bias, Some(residual)))
        };
        tensor(with_layer(x, linear, layer)?, (batch, tokens, outputs), x)
    }

    fn image_to_tokens(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        let (batch, inputs, height, width) = x.dims4()?;
        let outputs = linear.outputs(inputs, x)?;
        let shape = linear::Shape { tokens: height * width, inputs, outputs };
        let out = with_layer(x, linear, |x, weight, bias| Ok(linear::from_image(&shape, x, weight, bias)))?;
        tensor(out, (batch, height * width, outputs), x)
    }

    fn tokens_to_image(&self, x: &Tensor, linear: LinearOperands, residual: &Tensor) -> Result<Tensor> {
        let (batch, tokens, inputs) = x.dims3()?;
        let outputs = linear.outputs(inputs, x)?;
        let (rows, channels, height, width) = residual.dims4()?;
        if (batch, outputs, tokens) != (rows, channels, height * width) {
            bail!("tokens of {:?} cannot be reshaped to an image of {:?}", x.shape(), residual.shape())
        }
        let shape = linear::Shape { tokens, inputs, outputs };
        let out = with_layer(x, linear, |x, weight, bias| {
            values!(residual);
            Ok(linear::to_image(&shape, x, weight, bias, residual))
        })?;
        tensor(out, (batch, channels, height, width), x)
    }

    fn group_norm(&self, x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor> {
        let like = x;
        let (_, channels, height, width) = x.dims4()?;
        values!(x);
        values!(weight = norm.weight);
        values!(bias = norm.bias);
        check(weight, channels)?;
        let silu = then == Activation::Silu;
        let out = norm::group_norm(x, weight, bias, channels / groups, height * width, norm.eps, silu);
        tensor(out, like.shape(), like)
    }

    fn layer_norm(&self, x: &Tensor, norm: NormOperands) -> Result<Tensor> {
        let like = x;
        let (_, _, channels) = x.dims3()?;
        values!(x);
        values!(weight = norm.weight);
        values!(bias = norm.bias);
        check(weight, channels)?;
        tensor(norm::layer_norm(x, weight, bias, norm.eps), like.shape(), like)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
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

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        let like = x;
        let (batch, tokens, channels) = x.dims3()?;
        let half = channels / 2;
        values!(x);
        let mut out = vec![0.0; batch * tokens * half];
        out.par_chunks_mut(half).zip(x.par_chunks(channels)).with_min_len(norm::TOKENS).for_each(
            |(out, x)| {
                activations::geglu(out, &x[..half], &x[half..]);
            },
        );
        tensor(out, (batch, tokens, half), like)
    }

    fn gelu(&self, x: &Tensor) -> Result<Tensor> {
        each(x, activations::gelu)
    }

    fn quick_gelu(&self, x: &Tensor) -> Result<Tensor> {
        each(x, activations::quick_gelu)
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor> {
        each(x, activations::silu)
    }

    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
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
}

fn with_layer(
    x: &Tensor,
    linear: LinearOperands,
    run: impl FnOnce(&[f32], &[f32], Option<&[f32]>) -> Result<Vec<f32>>,
) -> Result<Vec<f32>> {
    values!(x);
    values!(weight = linear.weight);
    let Some(bias) = linear.bias else { return run(x, weight, None) };
    values!(bias);
    run(x, weight, Some(bias))
}

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
