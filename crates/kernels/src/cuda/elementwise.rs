//! Sums, GEGLU, nearest-neighbour upsampling and concatenation: the launches of the kernels in `elementwise.cu`.

use super::launch::{Arg, Grid, launch, output, ptx};
use super::names::variant;
use crate::layout::{as_image, channels_last};
use candle_core::{DType, Result, Tensor, bail};

const ELEMENTWISE: (&str, &str) = ("maquette_elementwise", ptx::ELEMENTWISE);

/// `x + bias + shift + residual` along the last axis, the channels; `x` itself if there is nothing to add.
///
/// `bias` is `[channels]`, `shift` `[B, channels]`, and `residual` has as many values as `x`.
pub(super) fn sum(
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

/// The first half of the channels of `x + bias` times GELU of the second half.
pub(super) fn geglu(x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
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

/// The gradient of [`geglu`] without a bias.
pub(super) fn geglu_gradient(x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let (x, gradient) = (x.contiguous()?, gradient.contiguous()?);
    let half = gradient.dim(candle_core::D::Minus1)?;
    if gradient.elem_count() * 2 != x.elem_count() || gradient.dtype() != x.dtype() {
        bail!("{:?} is no gradient of GEGLU of {:?}", gradient.shape(), x.shape())
    }
    let out = output(x.shape(), x.dtype(), x.device())?;
    let (name, width) = variant("geglu_gradient", x.dtype(), half);
    let count = gradient.elem_count() / width;
    let args =
        [Arg::Tensor(&out), Arg::Tensor(&gradient), Arg::Tensor(&x), Arg::Count(half), Arg::Count(count)];
    launch(x.device(), ELEMENTWISE, &name, Grid::over(count), &args)?;
    Ok(out)
}

/// A step of AdamW: the parameter, its gradient and its moments in f32, all of one shape; the parameter and the moments afterwards.
/// `factors` are those of the kernel, in its order.
pub(crate) fn adamw(of: [&Tensor; 4], factors: [f64; 6]) -> Result<[Tensor; 3]> {
    let [parameter, gradient, ..] = of;
    if of.iter().any(|tensor| tensor.shape() != parameter.shape() || tensor.dtype() != DType::F32) {
        bail!("a step of a parameter {:?} by a gradient {:?}", parameter.shape(), gradient.shape())
    }
    let [before, slope, first, second] = of.map(Tensor::contiguous);
    let (before, slope, first, second) = (before?, slope?, first?, second?);
    let out = || output(parameter.shape(), DType::F32, parameter.device());
    let found = [out()?, out()?, out()?];
    let tensors = [&found[0], &found[1], &found[2], &before, &first, &second, &slope];
    let count = parameter.elem_count();
    let args = tensors.into_iter().map(Arg::Tensor).chain(factors.map(|number| Arg::Float(number as f32)));
    let args: Vec<Arg> = args.chain([Arg::Count(count)]).collect();
    launch(parameter.device(), ELEMENTWISE, "adamw", Grid::over(count), &args)?;
    Ok(found)
}

/// Resizes an image, taking the nearest pixel.
pub(super) fn upsample_nearest(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
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

/// The channels of two images of one size, one after the other.
pub(super) fn concat(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let (left, right) = (channels_last(left)?, channels_last(right)?);
    let (batch, height, width, of_left) = left.dims4()?;
    let of_right = right.dim(3)?;
    if right.dims() != [batch, height, width, of_right] || right.dtype() != left.dtype() {
        bail!("images of {:?} and {:?} cannot be concatenated", left.shape(), right.shape())
    }
    let out = output((batch, height, width, of_left + of_right), left.dtype(), left.device())?;
    let (mut name, mut vector) = variant("concat", left.dtype(), of_left);
    if !of_right.is_multiple_of(vector) {
        (name, vector) = variant("concat", left.dtype(), 1);
    }
    let count = out.elem_count() / vector;
    let args = [
        Arg::Tensor(&out),
        Arg::Tensor(&left),
        Arg::Tensor(&right),
        Arg::Count(of_left),
        Arg::Count(of_right),
        Arg::Count(count),
    ];
    launch(left.device(), ELEMENTWISE, &name, Grid::over(count), &args)?;
    as_image(&out)
}
