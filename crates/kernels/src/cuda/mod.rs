//! The kernels for CUDA: matrix products by cuBLAS, the rest by our own kernels in the `.cu` files of this folder.
//!
//! Images are kept channels-last: a result has the shape `[B, channels, height, width]` of every other set and the memory
//! layout `[B, height, width, channels]`, which the next operation reads without a copy; the pixels of an image are
//! then tokens. Operands in the usual layout are copied into it. Kernels split work by shapes alone, so that a row of a
//! batch does not depend on the others; cuBLAS's products may differ in their last bits with the number of rows. Not
//! here: gradients.

mod attention;
mod conv;
mod launch;
mod norm;

use crate::reference::Reference;
use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands};
use candle_core::{DType, Result, Tensor, bail};
use launch::{Arg, Grid, Right, launch, output, product, ptx};

const ELEMENTWISE: (&str, &str) = ("maquette_elementwise", ptx::ELEMENTWISE);

/// cuBLAS and our CUDA kernels, for f32, f16 and bf16.
#[derive(Debug)]
pub(crate) struct Cuda;

impl Kernels for Cuda {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn is_differentiable(&self) -> bool {
        false
    }

    fn storage_dtype(&self, dtype: DType) -> DType {
        dtype
    }

    fn accumulation_dtype(&self, _: DType) -> DType {
        DType::F32
    }

    fn storage_layout(&self, weight: Tensor) -> Result<Tensor> {
        if weight.rank() == 4 { as_image(&channels_last(&weight)?) } else { weight.contiguous() }
    }

    fn conv2d(&self, x: &Tensor, conv: ConvOperands, add: Add) -> Result<Tensor> {
        conv::conv2d(x, conv, add)
    }

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        sum(&times_weight(x, linear.weight)?, linear.bias, None, residual)
    }

    fn linear_geglu(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        geglu(&times_weight(x, linear.weight)?, linear.bias)
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
        norm::group_norm(x, norm, groups, then)
    }

    fn layer_norm(&self, x: &Tensor, norm: NormOperands) -> Result<Tensor> {
        norm::layer_norm(x, norm)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
        attention::attention(q, k, v, heads, mask)
    }

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        geglu(x, None)
    }

    fn gelu(&self, x: &Tensor) -> Result<Tensor> {
        Reference.gelu(x)
    }

    fn quick_gelu(&self, x: &Tensor) -> Result<Tensor> {
        Reference.quick_gelu(x)
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor> {
        Reference.silu(x)
    }

    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
        let x = channels_last(x)?;
        let (batch, from_height, from_width, channels) = x.dims4()?;
        let out = output((batch, height, width, channels), x.dtype(), x.device())?;
        let (name, vector) = variant("upsample", x.dtype(), channels);
        let count = out.elem_count() / vector;
        let args = [
            Arg::Tensor(&out),
            Arg::Tensor(&x),
            Arg::Count(channels),
            Arg::Count(from_height),
            Arg::Count(from_width),
            Arg::Count(height),
            Arg::Count(width),
            Arg::Count(count),
        ];
        launch(x.device(), ELEMENTWISE, &name, Grid::over(count), &args)?;
        as_image(&out)
    }

    fn concat(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        as_image(&Tensor::cat(&[channels_last(left)?, channels_last(right)?], 3)?)
    }
}

/// `[B, height, width, channels]` of an image; a copy only if the image is in the usual layout.
fn channels_last(image: &Tensor) -> Result<Tensor> {
    image.permute((0, 2, 3, 1))?.contiguous()
}

/// The inverse of [`channels_last`], which never copies.
fn as_image(channels_last: &Tensor) -> Result<Tensor> {
    channels_last.permute((0, 3, 1, 2))
}

/// The product of tokens `[B, count, inputs]` and a weight `[inputs, outputs]`.
fn times_weight(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (batch, tokens, inputs) = x.dims3()?;
    let (expected, outputs) = weight.dims2()?;
    if inputs != expected {
        bail!("a linear layer with weight {:?} cannot be applied to {:?}", weight.shape(), x.shape())
    }
    let out = output((batch, tokens, outputs), x.dtype(), x.device())?;
    product(&out, 0, &x, batch * tokens, Right::Plain(&weight.contiguous()?), (inputs, outputs))?;
    Ok(out)
}

/// The first half of the channels of `x + bias` times GELU of the second half.
fn geglu(x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (batch, tokens, channels) = x.dims3()?;
    if bias.is_some_and(|bias| bias.elem_count() != channels || bias.dtype() != x.dtype()) {
        bail!("no bias of {channels} channels in {:?}", x.dtype())
    }
    let half = channels / 2;
    let bias = bias.map(Tensor::contiguous).transpose()?;
    let out = output((batch, tokens, half), x.dtype(), x.device())?;
    let (name, width) = variant("geglu", x.dtype(), half);
    let count = out.elem_count() / width;
    let args =
        [Arg::Tensor(&out), Arg::Tensor(&x), bias.as_ref().into(), Arg::Count(half), Arg::Count(count)];
    launch(x.device(), ELEMENTWISE, &name, Grid::over(count), &args)?;
    Ok(out)
}

/// `x + bias + shift + residual` along the last axis, the channels; `x` itself if there is nothing to add.
///
/// `bias` is `[channels]`, `shift` `[B, channels]`, and `residual` has as many values as `x`.
fn sum(
    x: &Tensor,
    bias: Option<&Tensor>,
    shift: Option<&Tensor>,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    if bias.is_none() && shift.is_none() && residual.is_none() {
        return Ok(x.clone());
    }
    let (batch, channels) = (x.dim(0)?, x.dim(candle_core::D::Minus1)?);
    let (values, dtype) = (x.elem_count(), x.dtype());
    let operand = |tensor: Option<&Tensor>, expected: usize| match tensor {
        Some(tensor) if tensor.elem_count() != expected || tensor.dtype() != dtype => {
            bail!("{:?} {:?} cannot be added to {:?}", tensor.dtype(), tensor.shape(), x.shape())
        }
        Some(tensor) => tensor.contiguous().map(Some),
        None => Ok(None),
    };
    let bias = operand(bias, channels)?;
    let shift = operand(shift, batch * channels)?;
    let residual = operand(residual, values)?;
    let out = output(x.shape(), dtype, x.device())?;
    let (name, width) = variant("add", dtype, channels);
    let count = values / width;
    let args = [
        Arg::Tensor(&out),
        Arg::Tensor(x),
        bias.as_ref().into(),
        shift.as_ref().into(),
        residual.as_ref().into(),
        Arg::Count(channels),
        Arg::Count(values / channels / batch),
        Arg::Count(count),
    ];
    launch(x.device(), ELEMENTWISE, &name, Grid::over(count), &args)?;
    Ok(out)
}

/// The name of a kernel for a dtype, and how many channels its threads read at once: 16 bytes where that divides them.
fn variant(kernel: &str, dtype: DType, channels: usize) -> (String, usize) {
    let dtype_name = dtype_name(dtype);
    let wide = 16 / dtype.size_in_bytes();
    match channels.is_multiple_of(wide) {
        true => (format!("{kernel}_{dtype_name}_wide"), wide),
        false => (format!("{kernel}_{dtype_name}_one"), 1),
    }
}

/// A dtype in the names of kernels.
fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        _ => "f32",
    }
}
