//! Convolutions: by cuDNN in half precision; otherwise as matrix products of the patches of the image, written by
//! `im2col.cu`, and the weight.

use super::cudnn::{self, Convolution};
use super::elementwise::sum;
use super::launch::{Arg, Grid, launch, output, ptx};
use super::names::variant;
use super::product::{Plus, Right, product};
use crate::layout::{as_image, channels_last};
use crate::set::{Add, ConvOperands};
use candle_core::{DType, Result, Tensor, bail};

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
    // [outputs, kernel, kernel, inputs]: already in this layout, see `storage_layout`.
    let weight = channels_last(weight)?;
    let out = output((batch, out_height, out_width, outputs), x.dtype(), x.device())?;
    let bias = bias.map(Tensor::contiguous).transpose()?;
    let (shift, image) = match add {
        Add::Nothing => (None, None),
        Add::Channels(shift) => (Some(shift.contiguous()?), None),
        Add::Image(image) => (None, Some(channels_last(image)?)),
    };
    let (bias, shift, image) = (bias.as_ref(), shift.as_ref(), image.as_ref());
    for (tensor, count) in [(bias, outputs), (shift, batch * outputs), (image, out.elem_count())] {
        if tensor.is_some_and(|tensor| tensor.elem_count() != count || tensor.dtype() != x.dtype()) {
            bail!("{tensor:?} cannot be added to a convolution's result of {:?} {:?}", x.dtype(), out.shape())
        }
    }
    if weight.dtype() != x.dtype() {
        bail!("a convolution of {:?} with a weight of {:?}", x.dtype(), weight.dtype())
    }

    let is_product = kernel == 1 && stride == 1 && (height, width) == (out_height, out_width);
    let sizes = Convolution {
        image: [batch, inputs, height, width],
        result: [batch, outputs, out_height, out_width],
        kernel,
        stride,
        padding: padding.sides(),
    };
    // In f32, cuDNN would multiply in TF32; with few channels, it has no fast engine.
    let by_cudnn = x.dtype() != DType::F32 && !is_product && inputs.is_multiple_of(8);
    if by_cudnn && cudnn::conv2d(&out, &x, &weight, sizes)? {
        return as_image(&sum(&out, bias, shift, image)?);
    }
    let depth = kernel * kernel * inputs;
    let pixels = batch * out_height * out_width;
    let (right, plus) = (Right::Transposed(&weight), Plus { bias, residual: image });
    if is_product {
        // The image is the matrix of patches.
        product(&out, 0, &x, pixels, right, (depth, outputs), plus)?;
    } else {
        let most = (PATCHES / depth).clamp(1, pixels.max(1));
        let patches = output((most, depth), x.dtype(), x.device())?;
        let (name, vector) = variant("im2col", x.dtype(), inputs);
        let (before, _) = padding.sides();
        for first in (0..pixels).step_by(most) {
            let rows = most.min(pixels - first);
            let count = rows * depth / vector;
            let counts = [inputs, height, width, out_height, out_width, kernel, stride, before, first, count];
            let args: Vec<Arg> =
                [Arg::Tensor(&patches), Arg::Tensor(&x)].into_iter().chain(counts.map(Arg::Count)).collect();
            launch(x.device(), IM2COL, &name, Grid::over(count), &args)?;
            product(&out, first, &patches, rows, right, (depth, outputs), plus)?;
        }
    }
    as_image(&sum(&out, None, shift, None)?)
}
