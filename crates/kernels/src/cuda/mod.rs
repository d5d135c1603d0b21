//! The kernels for CUDA: matrix products by cuBLASLt, convolutions by cuDNN where it is installed, the rest by our own
//! kernels in the `.cu` files of this folder.
//!
//! Images are kept channels-last: a result has the shape `[B, channels, height, width]` of every other set and the memory
//! layout `[B, height, width, channels]`, which the next operation reads without a copy; the pixels of an image are
//! then tokens. Operands in the usual layout are copied into it. Kernels split work by shapes alone, so that a row of a
//! batch does not depend on the others; the libraries' results may differ in their last bits with the number of rows.
//! Not here: gradients, except those of images and tokens for which candle needs many operations.

mod attention;
mod conv;
mod cudnn;
mod elementwise;
mod launch;
mod names;
mod norm;
mod product;

use crate::layout::{as_image, channels_last};
use crate::recomputed::Gradients;
use crate::reference::Reference;
use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands};
use candle_core::{DType, Result, Tensor};
pub(crate) use elementwise::adamw;
use elementwise::geglu;
use launch::output;
use product::{Plus, Right, product};

/// cuBLASLt, cuDNN and our CUDA kernels, for f32, f16 and bf16.
#[derive(Debug, Clone, Copy)]
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
        match weight.rank() {
            4 => as_image(&channels_last(&weight)?),
            // `[outputs, inputs]` in memory, as in files: no copy, and the layout that tensor cores read fastest.
            2 => weight.t()?.contiguous()?.t(),
            _ => weight.contiguous(),
        }
    }

    fn conv2d(&self, x: &Tensor, conv: ConvOperands, add: Add) -> Result<Tensor> {
        conv::conv2d(x, conv, add)
    }

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        times_weight(x, linear, linear.bias, residual)
    }

    fn linear_geglu(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        geglu(&times_weight(x, linear, None, None)?, linear.bias)
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
        elementwise::upsample_nearest(x, height, width)
    }

    fn concat(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        elementwise::concat(left, right)
    }
}

impl Gradients for Cuda {
    fn softmax(self, scores: &Tensor) -> Result<Tensor> {
        candle_nn::ops::softmax_last_dim(scores)
    }

    fn conv2d_gradients(
        self,
        x: &Tensor,
        conv: ConvOperands,
        gradient: &Tensor,
        wanted: [bool; 2],
    ) -> Result<Option<[Option<Tensor>; 2]>> {
        conv::gradients(x, conv, gradient, wanted).map(Some)
    }

    fn group_norm_gradient(
        self,
        x: &Tensor,
        norm: NormOperands,
        groups: usize,
        then: Activation,
        gradient: &Tensor,
    ) -> Result<Option<Tensor>> {
        norm::group_norm_gradient(x, norm, groups, then, gradient).map(Some)
    }

    fn layer_norm_gradient(
        self,
        x: &Tensor,
        norm: NormOperands,
        gradient: &Tensor,
    ) -> Result<Option<Tensor>> {
        norm::layer_norm_gradient(x, norm, gradient).map(Some)
    }

    fn geglu_gradient(self, x: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        elementwise::geglu_gradient(x, gradient).map(Some)
    }
}

/// The product of tokens `[B, count, inputs]` and a layer's weight, plus a bias and a residual.
fn times_weight(
    x: &Tensor,
    linear: LinearOperands,
    bias: Option<&Tensor>,
    residual: Option<&Tensor>,
) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (batch, tokens, inputs) = x.dims3()?;
    let outputs = linear.outputs(inputs, &x)?;
    let out = output((batch, tokens, outputs), x.dtype(), x.device())?;
    let bias = bias.map(Tensor::contiguous).transpose()?;
    let residual = residual.map(Tensor::contiguous).transpose()?;
    let plus = Plus { bias: bias.as_ref(), residual: residual.as_ref() };
    let transposed = linear.weight.t()?;
    let right = match linear.weight.is_contiguous() {
        true => Right::Plain(linear.weight),
        false => Right::Transposed(&transposed.contiguous()?),
    };
    product(&out, 0, &x, batch * tokens, right, (inputs, outputs), plus)?;
    Ok(out)
}
