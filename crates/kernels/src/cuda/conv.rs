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

    let sizes = Convolution {
        image: [batch, inputs, height, width],
        result: [batch, outputs, out_height, out_width],
        kernel,
        stride,
        padding: padding.sides(),
    };
    let is_product = is_product(&sizes);
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
        for (first, rows) in parts(depth, pixels) {
            let patches = patches(&x, &sizes, first, rows)?;
            product(&out, first, &patches, rows, right, (depth, outputs), plus)?;
        }
    }
    as_image(&sum(&out, None, shift, None)?)
}

/// The gradients of the image and of the weight, those that are wanted, for that of the result.
pub(super) fn gradients(
    x: &Tensor,
    conv: ConvOperands,
    gradient: &Tensor,
    wanted: [bool; 2],
) -> Result<[Option<Tensor>; 2]> {
    let weight = channels_last(conv.weight)?;
    let (x, gradient) = (channels_last(x)?, channels_last(gradient)?);
    let (batch, height, width, inputs) = x.dims4()?;
    let (_, out_height, out_width, outputs) = gradient.dims4()?;
    let sizes = Convolution {
        image: [batch, inputs, height, width],
        result: [batch, outputs, out_height, out_width],
        kernel: weight.dim(1)?,
        stride: conv.stride,
        padding: conv.padding.sides(),
    };
    let of_image = || as_image(&image_gradient(&weight, &gradient, &sizes)?);
    let of_weight = || as_image(&weight_gradient(&x, &gradient, &sizes)?)?.contiguous();
    Ok([wanted[0].then(of_image).transpose()?, wanted[1].then(of_weight).transpose()?])
}

/// The gradient's product with the weight is that of the patches, for some rows of the batch at a time.
fn image_gradient(weight: &Tensor, gradient: &Tensor, sizes: &Convolution) -> Result<Tensor> {
    let Convolution { image: [batch, inputs, height, width], result, kernel, stride, .. } = *sizes;
    let [_, outputs, out_height, out_width] = result;
    let depth = kernel * kernel * inputs;
    let pixels = out_height * out_width;
    let right = Right::Plain(weight);
    if is_product(sizes) {
        let image = output((batch, height, width, inputs), gradient.dtype(), gradient.device())?;
        product(&image, 0, gradient, batch * pixels, right, (outputs, inputs), Plus::default())?;
        return Ok(image);
    }
    let most = (PATCHES / (depth * pixels)).clamp(1, batch.max(1));
    let mut images = Vec::new();
    for first in (0..batch).step_by(most) {
        let rows = most.min(batch - first);
        let patches = output((rows * pixels, depth), gradient.dtype(), gradient.device())?;
        let slopes = gradient.narrow(0, first, rows)?;
        product(&patches, 0, &slopes, rows * pixels, right, (outputs, depth), Plus::default())?;
        let image = output((rows, height, width, inputs), gradient.dtype(), gradient.device())?;
        let (name, vector) = variant("col2im", gradient.dtype(), inputs);
        let (before, _) = sizes.padding;
        let count = image.elem_count() / vector;
        let counts = [inputs, height, width, out_height, out_width, kernel, stride, before, count];
        let args: Vec<Arg> =
            [Arg::Tensor(&image), Arg::Tensor(&patches)].into_iter().chain(counts.map(Arg::Count)).collect();
        launch(gradient.device(), IM2COL, &name, Grid::over(count), &args)?;
        images.push(image);
    }
    if let [image] = &images[..] { Ok(image.clone()) } else { Tensor::cat(&images, 0) }
}

/// The product of the gradient, transposed, and the patches: `[outputs, kernel, kernel, inputs]`.
fn weight_gradient(x: &Tensor, gradient: &Tensor, sizes: &Convolution) -> Result<Tensor> {
    let Convolution { image: [batch, inputs, ..], result, kernel, .. } = *sizes;
    let [_, outputs, out_height, out_width] = result;
    let depth = kernel * kernel * inputs;
    let slopes = gradient.reshape(((), outputs))?;
    if is_product(sizes) {
        return slopes.t()?.matmul(&x.reshape(((), inputs))?)?.reshape((outputs, 1, 1, inputs));
    }
    let mut sum: Option<Tensor> = None;
    for (first, rows) in parts(depth, batch * out_height * out_width) {
        let part = slopes.narrow(0, first, rows)?.t()?.matmul(&patches(x, sizes, first, rows)?)?;
        sum = Some(sum.map_or(Ok(part.clone()), |sum| sum + part)?);
    }
    match sum {
        Some(sum) => sum.reshape((outputs, kernel, kernel, inputs)),
        None => Tensor::zeros((outputs, kernel, kernel, inputs), x.dtype(), x.device()),
    }
}

/// Whether the image is the matrix of patches.
fn is_product(sizes: &Convolution) -> bool {
    sizes.kernel == 1 && sizes.stride == 1 && sizes.image[2..] == sizes.result[2..]
}

/// The first pixel and the number of pixels of each part of the matrix of patches.
fn parts(depth: usize, pixels: usize) -> impl Iterator<Item = (usize, usize)> {
    let most = (PATCHES / depth).clamp(1, pixels.max(1));
    (0..pixels).step_by(most).map(move |first| (first, most.min(pixels - first)))
}

/// Rows `first` and following of the matrix of patches of a channels-last image.
fn patches(x: &Tensor, sizes: &Convolution, first: usize, rows: usize) -> Result<Tensor> {
    let Convolution { image: [_, inputs, height, width], result, kernel, stride, .. } = *sizes;
    let [_, _, out_height, out_width] = result;
    let depth = kernel * kernel * inputs;
    let patches = output((rows, depth), x.dtype(), x.device())?;
    let (name, vector) = variant("im2col", x.dtype(), inputs);
    let (before, _) = sizes.padding;
    let count = rows * depth / vector;
    let counts = [inputs, height, width, out_height, out_width, kernel, stride, before, first, count];
    let args: Vec<Arg> =
        [Arg::Tensor(&patches), Arg::Tensor(x)].into_iter().chain(counts.map(Arg::Count)).collect();
    launch(x.device(), IM2COL, &name, Grid::over(count), &args)?;
    Ok(patches)
}
