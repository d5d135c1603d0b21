//! The CPU kernels in f32: from tensors to slices for the kernels, and back.
//!
//! Half-precision tensors are computed in f32 and rounded afterwards. The kernels split work into tiles only by the
//! shapes, never by the batch or the number of threads, and sum in a fixed order, so rows do not depend on each other.
//! Not here: gradients.

mod activations;
mod attention;
mod conv;
mod gradients;
mod linear;
mod matrix;
mod memory;
mod norm;
mod pairs;
mod products;
mod recorded;
mod shared;
mod transpose;
mod values;

use crate::layout::{as_image, channels_last};
use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands};
use candle_core::{CpuStorage, D, DType, Result, Storage, Tensor, bail};
pub(crate) use memory::keep_freed;
use memory::unwritten;
use rayon::prelude::*;
pub(crate) use recorded::{Recorded, sum};
use values::{tensor, values};

/// The custom CPU kernels, with everything between layers in f32.
#[derive(Debug)]
pub(crate) struct Cpu {
    products: Products,
}

/// What linear layers and attention multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Products {
    F32,
    /// Numbers rounded to bf16, with sums in f32; the weights are stored in bf16.
    Bf16,
}

impl Cpu {
    /// The kernels of a model in `dtype`: products in bf16 if the processor has instructions for them.
    pub(crate) fn of(dtype: DType) -> &'static Cpu {
        match dtype == DType::BF16 && pairs::is_supported() {
            true => &Cpu { products: Products::Bf16 },
            false => &Cpu { products: Products::F32 },
        }
    }
}

impl Kernels for Cpu {
    fn name(&self) -> &'static str {
        match self.products {
            Products::F32 => "cpu-f32",
            Products::Bf16 => "cpu-bf16",
        }
    }

    fn is_differentiable(&self) -> bool {
        false
    }

    fn storage_dtype(&self, _: DType) -> DType {
        DType::F32
    }

    fn activation_dtype(&self, _: DType) -> DType {
        DType::F32
    }

    fn accumulation_dtype(&self, _: DType) -> DType {
        DType::F32
    }

    fn storage_layout(&self, weight: Tensor) -> Result<Tensor> {
        match (weight.rank(), self.products) {
            // A linear layer for each pixel.
            (4, Products::Bf16) if weight.dims()[2..] == [1, 1] => {
                as_weight(&outputs_last(&weight.to_dtype(DType::BF16)?)?)
            }
            (4, _) => as_weight(&outputs_last(&weight)?),
            (2, Products::F32) => transpose::contiguous(&weight),
            // The conversion would walk along columns.
            (2, Products::Bf16) if !weight.is_contiguous() => {
                transpose::contiguous(&weight.t()?.to_dtype(DType::BF16)?.t()?)
            }
            (_, Products::F32) => weight.contiguous(),
            (_, Products::Bf16) => weight.to_dtype(DType::BF16)?.contiguous(),
        }
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
        // Stored so by `storage_layout`.
        if weight.dtype() == DType::BF16
            && (kernel, out_height, out_width) == (1, height, width)
            && self.products == Products::Bf16
        {
            let weight = outputs_last(weight)?.reshape((inputs, outputs))?;
            let layer = LinearOperands { weight: &weight, bias };
            match add {
                Add::Nothing => {
                    return as_image(
                        &self.image_to_tokens(x, layer)?.reshape((batch, height, width, outputs))?,
                    );
                }
                Add::Image(image) => {
                    return self.tokens_to_image(&channels_last(x)?.flatten(1, 2)?, layer, image);
                }
                Add::Channels(_) => {}
            }
        }
        values!(x = &channels_last(x)?);
        values!(weight = &outputs_last(weight)?);
        let layer = |bias: Option<&[f32]>| {
            let run = |shift: Option<&[f32]>, image: Option<&[f32]>| {
                conv::conv2d(&shape, batch, x, weight, &conv::Epilogue { bias, shift, image })
            };
            match add {
                Add::Nothing => Ok(run(None, None)),
                Add::Channels(shift) => {
                    values!(shift);
                    check(shift, batch * outputs)?;
                    Ok(run(Some(shift), None))
                }
                Add::Image(image) => {
                    values!(image = &channels_last(image)?);
                    check(image, batch * outputs * out_height * out_width)?;
                    Ok(run(None, Some(image)))
                }
            }
        };
        let out = with_bias(bias, outputs, layer)?;
        as_image(&tensor(out, (batch, out_height, out_width, outputs), like)?)
    }

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        let like = x;
        let (batch, tokens, inputs) = x.dims3()?;
        let outputs = linear.outputs(inputs, x)?;
        values!(x);
        let run = |bias: Option<&[f32]>| {
            with_weight(linear.weight, |weight| {
                let layer = |residual| linear::Layer { inputs, outputs, x, weight, bias, residual };
                let Some(residual) = residual else { return Ok(layer(None).run()) };
                values!(residual);
                check(residual, batch * tokens * outputs)?;
                Ok(layer(Some(residual)).run())
            })
        };
        tensor(with_bias(linear.bias, outputs, run)?, (batch, tokens, outputs), like)
    }

    fn image_to_tokens(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        self.linear(&channels_last(x)?.flatten(1, 2)?, linear, None)
    }

    fn tokens_to_image(&self, x: &Tensor, linear: LinearOperands, residual: &Tensor) -> Result<Tensor> {
        let residual = channels_last(residual)?;
        let out = self.linear(x, linear, Some(&residual.flatten(1, 2)?))?;
        as_image(&out.reshape(residual.shape())?)
    }

    fn group_norm(&self, x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor> {
        let like = x;
        let (batch, channels, height, width) = x.dims4()?;
        values!(x = &channels_last(x)?);
        values!(weight = norm.weight);
        values!(bias = norm.bias);
        check(weight, channels)?;
        check(bias, channels)?;
        let silu = then == Activation::Silu;
        let out = norm::group_norm(x, weight, bias, channels / groups, height * width, norm.eps, silu);
        as_image(&tensor(out, (batch, height, width, channels), like)?)
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

    fn rms_norm(&self, x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
        let like = x;
        let channels = x.dim(D::Minus1)?;
        values!(x);
        values!(weight);
        check(weight, channels)?;
        tensor(norm::rms_norm(x, weight, eps), like.shape(), like)
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
        tensor(attention::attention(&shape, q, k, v, self.products == Products::Bf16), like.shape(), like)
    }

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        let like = x;
        let (batch, tokens, channels) = x.dims3()?;
        let half = channels / 2;
        values!(x);
        // SAFETY: every half of a token is written.
        #[allow(unsafe_code)]
        let mut out = unsafe { unwritten(batch * tokens * half) };
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

    fn relu(&self, x: &Tensor) -> Result<Tensor> {
        each(x, activations::relu)
    }

    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
        let like = x;
        let (batch, channels, from_height, from_width) = x.dims4()?;
        values!(x = &channels_last(x)?);
        // SAFETY: every pixel of every line is written.
        #[allow(unsafe_code)]
        let mut out = unsafe { unwritten(batch * channels * height * width) };
        out.par_chunks_mut(width * channels).enumerate().for_each(|(line, out)| {
            let (row, y) = (line / height, line % height);
            let from = &x[(row * from_height + y * from_height / height) * from_width * channels..];
            for (i, out) in out.chunks_mut(channels).enumerate() {
                out.copy_from_slice(&from[i * from_width / width * channels..][..channels]);
            }
        });
        as_image(&tensor(out, (batch, height, width, channels), like)?)
    }

    fn concat(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        as_image(&Tensor::cat(&[channels_last(left)?, channels_last(right)?], 3)?)
    }
}

/// `[kernel, kernel, inputs, outputs]` of a convolution's weight; a copy only if it is in the usual layout.
fn outputs_last(weight: &Tensor) -> Result<Tensor> {
    weight.permute((2, 3, 1, 0))?.contiguous()
}

/// The inverse of [`outputs_last`], which never copies.
fn as_weight(outputs_last: &Tensor) -> Result<Tensor> {
    outputs_last.permute((3, 2, 0, 1))
}

/// Calls `run` with the values of a bias.
fn with_bias<R>(
    bias: Option<&Tensor>,
    outputs: usize,
    run: impl FnOnce(Option<&[f32]>) -> Result<R>,
) -> Result<R> {
    let Some(bias) = bias else { return run(None) };
    values!(bias);
    check(bias, outputs)?;
    run(Some(bias))
}

/// Calls `run` with the values of a linear layer's weight, in bf16 if they are stored so and can be multiplied.
fn with_weight<R>(weight: &Tensor, run: impl FnOnce(linear::Weight) -> Result<R>) -> Result<R> {
    if weight.dtype() == DType::BF16 && pairs::is_supported() {
        let weight = weight.contiguous()?;
        let (storage, layout) = weight.storage_and_layout();
        let Storage::Cpu(CpuStorage::BF16(all)) = &*storage else { bail!("a weight is not on the CPU") };
        let values = &all[layout.start_offset()..layout.start_offset() + layout.shape().elem_count()];
        return run(linear::Weight::Bf16(values));
    }
    values!(weight);
    run(linear::Weight::F32(weight))
}

fn each(x: &Tensor, curve: fn(&mut [f32], &[f32])) -> Result<Tensor> {
    const CHUNK: usize = 16384;
    if x.rank() == 4 && !x.is_contiguous() {
        return as_image(&each(&channels_last(x)?, curve)?);
    }
    let like = x;
    values!(x);
    // SAFETY: the curves write a value for every one that they read.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(x.len()) };
    out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(out, x)| curve(out, x));
    tensor(out, like.shape(), like)
}

fn check(values: &[f32], expected: usize) -> Result<()> {
    if values.len() != expected {
        bail!("an operand has {} values instead of {expected}", values.len())
    }
    Ok(())
}
