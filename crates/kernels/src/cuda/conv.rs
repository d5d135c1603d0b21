//! Convolutions as matrix products: the patches of the image, written by `im2col.cu`, times the weight, by cuBLAS.
//!
//! A kernel on the tensor cores' older instructions (`mma.sync`) that reads the patches while multiplying, without
//! writing them, reached 265 TFLOP/s on an H100 and made the UNet 17 % slower: cuBLAS's product makes up for the traffic.

use super::elementwise::sum;
use super::launch::{Arg, Grid, Right, launch, output, product, ptx};
use super::names::variant;
use crate::layout::{as_image, channels_last};
use crate::set::{Add, ConvOperands};
use candle_core::{Result, Tensor};

const IM2COL: (&str, &str) = ("maquette_im2col", ptx::IM2COL);

/// The largest matrix of patches, in values; larger ones are computed in parts.
const PATCHES: usize = 1 << 27;

/// An image `[B, inputs, h, w]` convolved, plus bias and `add`.
pub(super) fn conv2d(x: &Tensor, conv: ConvOperands, add: Add) -> Result<Tensor> {
    let (out_height, out_width) = conv.output_size(x)?;
    let x = channels_last(x)?;
    let ConvOperands { weight, bias, stride, padding } = conv;
    let (batch, height, width, inputs) = x.dims4()?;
    let (outputs, _, kernel, _) = weight.dims4()?;
    let (before, _) = padding.sides();
    // [outputs, kernel, kernel, inputs]: already in this layout, see `storage_layout`.
    let weight = channels_last(weight)?;
    let right = Right::Transposed(&weight);
    let out = output((batch, out_height, out_width, outputs), x.dtype(), x.device())?;
    let pixels = batch * out_height * out_width;
    let depth = kernel * kernel * inputs;
    if kernel == 1 && stride == 1 && pixels == batch * height * width {
        // The image is the matrix of patches.
        product(&out, 0, &x, pixels, right, (depth, outputs))?;
    } else {
        let most = (PATCHES / depth).clamp(1, pixels.max(1));
        let patches = output((most, depth), x.dtype(), x.device())?;
        let (name, vector) = variant("im2col", x.dtype(), inputs);
        for first in (0..pixels).step_by(most) {
            let rows = most.min(pixels - first);
            let count = rows * depth / vector;
            let counts = [inputs, height, width, out_height, out_width, kernel, stride, before, first, count];
            let args: Vec<Arg> =
                [Arg::Tensor(&patches), Arg::Tensor(&x)].into_iter().chain(counts.map(Arg::Count)).collect();
            launch(x.device(), IM2COL, &name, Grid::over(count), &args)?;
            product(&out, first, &patches, rows, right, (depth, outputs))?;
        }
    }
    as_image(&match add {
        Add::Nothing => sum(&out, bias, None, None)?,
        Add::Channels(shift) => sum(&out, bias, Some(shift), None)?,
        Add::Image(image) => sum(&out, bias, None, Some(&channels_last(image)?))?,
    })
}
