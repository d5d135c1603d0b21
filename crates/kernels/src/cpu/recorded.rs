//! The CPU kernels in f32 with gradients: every call is recorded with what its gradient needs.
//!
//! Parameters of layers are operands as well: frozen ones get no gradient and cost nothing. Operations that matter little are
//! followed back by the reference kernels.

use super::gradients::{self, AttentionGradients, NormGradients};
use super::values::{tensor, values};
use super::{Cpu, Products, as_weight, attention, conv, outputs_last};
use crate::layout::{as_image, channels_last};
use crate::recomputed::{self, recompute};
use crate::recording::{Backward, add};
use crate::reference::Reference;
use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, Mask, NormOperands, Padding};
use candle_core::{DType, Result, Tensor};

/// The kernels of [`Cpu`] in f32, recorded.
#[derive(Debug)]
pub(crate) struct Recorded;

/// What computes.
const CPU: &Cpu = &Cpu { products: Products::F32 };

impl Kernels for Recorded {
    fn name(&self) -> &'static str {
        "cpu-f32-recorded"
    }

    fn is_differentiable(&self) -> bool {
        true
    }

    fn storage_dtype(&self, dtype: DType) -> DType {
        CPU.storage_dtype(dtype)
    }

    fn activation_dtype(&self, dtype: DType) -> DType {
        CPU.activation_dtype(dtype)
    }

    fn accumulation_dtype(&self, dtype: DType) -> DType {
        CPU.accumulation_dtype(dtype)
    }

    fn storage_layout(&self, weight: Tensor) -> Result<Tensor> {
        // A variable stays what candle knows.
        if weight.track_op() { Ok(weight) } else { CPU.storage_layout(weight) }
    }

    fn conv2d(&self, x: &Tensor, conv: ConvOperands, more: Add) -> Result<Tensor> {
        let out = CPU.conv2d(x, conv, more)?;
        let ConvOperands { weight, bias, stride, padding } = conv;
        let added = match more {
            Add::Nothing => None,
            Add::Channels(shift) => Some(shift),
            Add::Image(image) => Some(image),
        };
        let kernel = weight.dims4()?.2;
        let (has_bias, is_shift) = (bias.is_some(), matches!(more, Add::Channels(_)));
        if !matches!(padding, Padding::Around(before) if before < kernel) {
            recomputed::convolution(Reference, x, conv, more, &out);
            return Ok(out);
        }
        add(&[Some(x), Some(weight), bias, added], &out, || {
            let (x, weight, has_more) = (x.clone(), weight.clone(), added.is_some());
            backward(move |gradient, wanted| {
                let (batch, outputs, out_height, out_width) = gradient.dims4()?;
                let (_, inputs, height, width) = x.dims4()?;
                let before = padding.sides().0;
                let shape = conv::Shape {
                    inputs,
                    outputs,
                    height,
                    width,
                    kernel,
                    stride,
                    before,
                    out_height,
                    out_width,
                };
                let gradient = channels_last(gradient)?;
                let mut found = vec![None, None];
                {
                    values!(slope = &gradient);
                    if wanted[0] {
                        values!(weight = &outputs_last(&weight)?);
                        let values = gradients::conv_input(&shape, batch, slope, weight);
                        found[0] = Some(as_image(&tensor(values, (batch, height, width, inputs), &x)?)?);
                    }
                    if wanted[1] {
                        values!(x = &channels_last(&x)?);
                        let values = gradients::conv_weight(&shape, batch, x, slope);
                        let values = tensor(values, (kernel, kernel, inputs, outputs), &weight)?;
                        found[1] = Some(as_weight(&values)?.contiguous()?);
                    }
                    if has_bias {
                        found.push(if wanted[2] { Some(sums(slope, outputs, &x)?) } else { None });
                    }
                }
                if has_more {
                    let of_shift = || gradient.sum((1, 2))?.reshape((batch, 1, outputs));
                    let is_wanted = wanted[wanted.len() - 1];
                    found.push(match (is_wanted, is_shift) {
                        (false, _) => None,
                        (true, true) => Some(of_shift()?),
                        (true, false) => Some(as_image(&gradient)?),
                    });
                }
                Ok(found)
            })
        });
        Ok(out)
    }

    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor> {
        let out = CPU.linear(x, linear, residual)?;
        let LinearOperands { weight, bias } = linear;
        add(&[Some(x), Some(weight), bias, residual], &out, || {
            let layer = LinearBackward::new(x, linear);
            let has_residual = residual.is_some();
            backward(move |gradient, wanted| {
                let gradient = gradient.contiguous()?;
                let mut found = layer.gradients(&gradient, wanted)?;
                if has_residual {
                    found.push(Some(gradient));
                }
                Ok(found)
            })
        });
        Ok(out)
    }

    fn image_to_tokens(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        let tokens = channels_last(x)?;
        let out = CPU.linear(&tokens.flatten(1, 2)?, linear, None)?;
        add(&[Some(x), Some(linear.weight), linear.bias], &out, || {
            let shape = tokens.shape().clone();
            let layer = LinearBackward { x: tokens, ..LinearBackward::new(x, linear) };
            backward(move |gradient, wanted| {
                let mut found = layer.gradients(&gradient.contiguous()?, wanted)?;
                found[0] = found[0].as_ref().map(|found| as_image(&found.reshape(&shape)?)).transpose()?;
                Ok(found)
            })
        });
        Ok(out)
    }

    fn tokens_to_image(&self, x: &Tensor, linear: LinearOperands, residual: &Tensor) -> Result<Tensor> {
        let out = CPU.tokens_to_image(x, linear, residual)?;
        add(&[Some(x), Some(linear.weight), linear.bias, Some(residual)], &out, || {
            let layer = LinearBackward::new(x, linear);
            backward(move |gradient, wanted| {
                let image = channels_last(gradient)?;
                let mut found = layer.gradients(&image.flatten(1, 2)?, wanted)?;
                found.push(Some(as_image(&image)?));
                Ok(found)
            })
        });
        Ok(out)
    }

    fn group_norm(&self, x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor> {
        let out = CPU.group_norm(x, norm, groups, then)?;
        let eps = norm.eps;
        add(&[Some(x), Some(norm.weight), Some(norm.bias)], &out, || {
            let [x, weight, bias] = [x, norm.weight, norm.bias].map(Tensor::clone);
            backward(move |gradient, _| {
                let (_, channels, height, width) = x.dims4()?;
                let image = channels_last(&x)?;
                let found = {
                    values!(gradient = &channels_last(gradient)?);
                    values!(x = &image);
                    values!(weight = &weight);
                    values!(bias = &bias);
                    let (span, silu) = (channels / groups, then == Activation::Silu);
                    gradients::group_norm(x, weight, bias, gradient, span, height * width, eps, silu)
                };
                let NormGradients { x: of_x, weight: of_weight, bias: of_bias } = found;
                Ok(vec![
                    Some(as_image(&tensor(of_x, image.shape(), &x)?)?),
                    Some(tensor(of_weight, channels, &x)?),
                    Some(tensor(of_bias, channels, &x)?),
                ])
            })
        });
        Ok(out)
    }

    fn layer_norm(&self, x: &Tensor, norm: NormOperands) -> Result<Tensor> {
        let out = CPU.layer_norm(x, norm)?;
        let eps = norm.eps;
        add(&[Some(x), Some(norm.weight), Some(norm.bias)], &out, || {
            let [x, weight] = [x, norm.weight].map(Tensor::clone);
            backward(move |gradient, _| {
                let channels = weight.elem_count();
                let found = {
                    values!(gradient);
                    values!(x = &x);
                    values!(weight = &weight);
                    gradients::layer_norm(x, weight, gradient, eps)
                };
                let NormGradients { x: of_x, weight: of_weight, bias: of_bias } = found;
                Ok(vec![
                    Some(tensor(of_x, x.shape(), &x)?),
                    Some(tensor(of_weight, channels, &x)?),
                    Some(tensor(of_bias, channels, &x)?),
                ])
            })
        });
        Ok(out)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
        let out = CPU.rms_norm(x, weight, eps)?;
        recompute(&[Some(x), Some(weight)], &out, move |of| Reference.rms_norm(&of[0], &of[1], eps));
        Ok(out)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
        let out = CPU.attention(q, k, v, heads, mask)?;
        add(&[Some(q), Some(k), Some(v)], &out, || {
            let [q, k, v] = [q, k, v].map(Tensor::clone);
            backward(move |gradient, _| {
                let ((_, queries, channels), keys) = (q.dims3()?, k.dims3()?.1);
                let shape = attention::Shape { queries, keys, channels, heads, causal: mask == Mask::Causal };
                let found = {
                    values!(gradient);
                    values!(q = &q);
                    values!(k = &k);
                    values!(v = &v);
                    gradients::attention(&shape, q, k, v, gradient)
                };
                let AttentionGradients { q: of_q, k: of_k, v: of_v } = found;
                let like = |values, operand: &Tensor| tensor(values, operand.shape(), operand).map(Some);
                Ok(vec![like(of_q, &q)?, like(of_k, &k)?, like(of_v, &v)?])
            })
        });
        Ok(out)
    }

    fn geglu(&self, x: &Tensor) -> Result<Tensor> {
        let out = CPU.geglu(x)?;
        add(&[Some(x)], &out, || {
            let x = x.clone();
            backward(move |gradient, _| {
                let half = gradient.dim(2)?;
                let found = {
                    values!(gradient);
                    values!(x = &x);
                    gradients::geglu(x, gradient, half)
                };
                Ok(vec![Some(tensor(found, x.shape(), &x)?)])
            })
        });
        Ok(out)
    }

    fn gelu(&self, x: &Tensor) -> Result<Tensor> {
        let out = CPU.gelu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.gelu(&of[0]));
        Ok(out)
    }

    fn quick_gelu(&self, x: &Tensor) -> Result<Tensor> {
        let out = CPU.quick_gelu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.quick_gelu(&of[0]));
        Ok(out)
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor> {
        let out = CPU.silu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.silu(&of[0]));
        Ok(out)
    }

    fn relu(&self, x: &Tensor) -> Result<Tensor> {
        let out = CPU.relu(x)?;
        recompute(&[Some(x)], &out, |of| Reference.relu(&of[0]));
        Ok(out)
    }

    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
        let out = CPU.upsample_nearest(x, height, width)?;
        add(&[Some(x)], &out, || {
            let x = x.clone();
            backward(move |gradient, _| {
                let (batch, channels, from_height, from_width) = x.dims4()?;
                let found = {
                    values!(gradient = &channels_last(gradient)?);
                    gradients::upsample_nearest(
                        gradient,
                        channels,
                        (from_height, from_width),
                        (height, width),
                    )
                };
                Ok(vec![Some(as_image(&tensor(found, (batch, from_height, from_width, channels), &x)?)?)])
            })
        });
        Ok(out)
    }

    fn concat(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        let out = CPU.concat(left, right)?;
        let (first, second) = (left.dim(1)?, right.dim(1)?);
        add(&[Some(left), Some(right)], &out, || {
            backward(move |gradient, _| {
                let image = channels_last(gradient)?;
                let part = |from, count| as_image(&image.narrow(3, from, count)?.contiguous()?).map(Some);
                Ok(vec![part(0, first)?, part(first, second)?])
            })
        });
        Ok(out)
    }
}

/// The sum of two tensors of one shape. candle's threads would wait for each other by spinning.
pub(crate) fn sum(one: &Tensor, other: &Tensor) -> Result<Tensor> {
    let like = one;
    values!(one);
    values!(other);
    tensor(gradients::sum(one, other), like.shape(), like)
}

/// What a linear layer's gradients need.
struct LinearBackward {
    x: Tensor,
    weight: Tensor,
    has_bias: bool,
}

impl LinearBackward {
    fn new(x: &Tensor, linear: LinearOperands) -> LinearBackward {
        LinearBackward { x: x.clone(), weight: linear.weight.clone(), has_bias: linear.bias.is_some() }
    }

    /// The gradients of `x`, the weight and the bias, if there is one, for that of the result in tokens.
    fn gradients(&self, gradient: &Tensor, wanted: &[bool]) -> Result<Vec<Option<Tensor>>> {
        let LinearBackward { x, weight, has_bias } = self;
        let (inputs, outputs) = weight.dims2()?;
        let mut found = vec![None, None];
        values!(gradient);
        if wanted[0] {
            values!(weight);
            found[0] =
                Some(tensor(gradients::linear_input(gradient, weight, inputs, outputs), x.shape(), x)?);
        }
        if wanted[1] {
            values!(x);
            found[1] = Some(tensor(
                gradients::linear_weight(x, gradient, inputs, outputs),
                (inputs, outputs),
                weight,
            )?);
        }
        if *has_bias {
            found.push(if wanted[2] { Some(sums(gradient, outputs, x)?) } else { None });
        }
        Ok(found)
    }
}

/// The sums of columns as a tensor.
fn sums(values: &[f32], columns: usize, like: &Tensor) -> Result<Tensor> {
    tensor(gradients::column_sums(values, columns), columns, like)
}

fn backward(run: impl FnOnce(&Tensor, &[bool]) -> Result<Vec<Option<Tensor>>> + 'static) -> Backward {
    Box::new(run)
}
