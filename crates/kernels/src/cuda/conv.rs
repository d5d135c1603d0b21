//! Convolutions as matrix products: the patches of the image times the weight.

use super::launch::{Arg, Grid, Right, launch, output, product, ptx};
use super::{as_image, channels_last, sum, variant};
use crate::set::{Add, ConvOperands, Padding};
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
    // [outputs, kernel, kernel, inputs]: already in this layout, see `storage_layout`.
    let weight = channels_last(weight)?;
    let out = output((batch, out_height, out_width, outputs), x.dtype(), x.device())?;
    let pixels = batch * out_height * out_width;
    let depth = kernel * kernel * inputs;
    let right = Right::Transposed(&weight);
    if kernel == 1 && stride == 1 && matches!(padding, Padding::Around(0)) {
        product(&out, 0, &x, pixels, right, (depth, outputs))?;
    } else {
        let most = (PATCHES / depth).clamp(1, pixels);
        let patches = output((most, depth), x.dtype(), x.device())?;
        let (name, vector) = variant("im2col", x.dtype(), inputs);
        for first in (0..pixels).step_by(most) {
            let rows = most.min(pixels - first);
            let count = rows * depth / vector;
            let sizes = [inputs, height, width, out_height, out_width, kernel, stride, before, first, count];
            let args: Vec<Arg> = [Arg::Tensor(&patches), Arg::Tensor(&x)]
                .into_iter()
                .chain(sizes.into_iter().map(Arg::Count))
                .collect();
            launch(x.device(), IM2COL, &name, Grid::over(count), &args)?;
            product(&out, first, &patches, rows, right, (depth, outputs))?;
        }
    }
    let out = match add {
        Add::Nothing => sum(&out, bias, None, None)?,
        Add::Channels(shift) => sum(&out, bias, Some(shift), None)?,
        Add::Image(image) => sum(&out, bias, None, Some(&channels_last(image)?))?,
    };
    as_image(&out)
}
