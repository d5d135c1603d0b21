//! Convolutions as matrix products: the patches of the image, written by `im2col.cu`, times the weight, by cuBLAS.
//!
//! A kernel on the tensor cores' older instructions (`mma.sync`) that reads the patches while multiplying, without
//! writing them, reached 265 TFLOP/s on an H100 and made the UNet 17 % slower: cuBLAS's product makes up for the traffic.

use super::elementwise::sum;
use super::launch::{Arg, Grid, Right, launch, output, product, ptx};
use super::layout::{as_image, channels_last, variant};
use crate::set::{Add, ConvOperands};
use candle_core::{Result, Tensor, bail};

const IM2COL: (&str, &str) = ("maquette_im2col", ptx::IM2COL);

/// The largest matrix of patches, in values; larger ones are computed in parts.
const PATCHES: usize = 1 << 27;

/// An image `[B, inputs, h, w]` convolved, plus bias and `add`.
pub(super) fn conv2d(x: &Tensor, conv: ConvOperands, add: Add) -> Result<Tensor> {
    let x = channels_last(x)?;
    let ConvOperands { weight, bias, stride, padding } = conv;
    let (batch, height, width, inputs) = x.dims4()?;
    let (outputs, expected, kernel, _) = weight.dims4()?;
    let (before, after) = padding.sides();
    let size = |size: usize| (size + before + after).checked_sub(kernel).map(|rest| rest / stride + 1);
    let (Some(out_height), Some(out_width), true) = (size(height), size(width), inputs == expected) else {
        bail!(
            "a convolution with weight {:?} cannot be applied to an image of {:?}",
            weight.shape(),
            x.shape()
        )
    };
    let sizes =
        Sizes { batch, height, width, inputs, outputs, kernel, stride, before, out_height, out_width };
    // [outputs, kernel, kernel, inputs]: already in this layout, see `storage_layout`.
    let weight = channels_last(weight)?;
    let (shift, image) = match add {
        Add::Nothing => (None, None),
        Add::Channels(shift) => (Some(shift.contiguous()?), None),
        Add::Image(image) => (None, Some(channels_last(image)?)),
    };
    as_image(&sum(&of_patches(&sizes, &x, &weight)?, bias, shift.as_ref(), image.as_ref())?)
}

/// The sizes of a convolution.
struct Sizes {
    batch: usize,
    height: usize,
    width: usize,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    /// Zeros before each axis.
    before: usize,
    out_height: usize,
    out_width: usize,
}

/// The patches as a matrix, times the weight.
fn of_patches(sizes: &Sizes, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let &Sizes { batch, height, width, inputs, outputs, kernel, stride, before, out_height, out_width } =
        sizes;
    let out = output((batch, out_height, out_width, outputs), x.dtype(), x.device())?;
    let pixels = batch * out_height * out_width;
    let depth = kernel * kernel * inputs;
    let right = Right::Transposed(weight);
    if kernel == 1 && stride == 1 && pixels == batch * height * width {
        product(&out, 0, x, pixels, right, (depth, outputs))?;
        return Ok(out);
    }
    let most = (PATCHES / depth).clamp(1, pixels.max(1));
    let patches = output((most, depth), x.dtype(), x.device())?;
    let (name, vector) = variant("im2col", x.dtype(), inputs);
    for first in (0..pixels).step_by(most) {
        let rows = most.min(pixels - first);
        let count = rows * depth / vector;
        let counts = [inputs, height, width, out_height, out_width, kernel, stride, before, first, count];
        let args: Vec<Arg> =
            [Arg::Tensor(&patches), Arg::Tensor(x)].into_iter().chain(counts.map(Arg::Count)).collect();
        launch(x.device(), IM2COL, &name, Grid::over(count), &args)?;
        product(&out, first, &patches, rows, right, (depth, outputs))?;
    }
    Ok(out)
}
