//! Convolutions as matrix products, the patches of the image times the weight: by `conv.cu`, which reads the patches from
//! the image, or by `im2col.cu`, which writes them, and cuBLAS.

use super::launch::{Arg, Grid, Right, launch, output, product, ptx};
use super::{as_image, channels_last, dtype_name, sum, variant};
use crate::set::{Add, ConvOperands};
use candle_core::{DType, Result, Tensor, bail};

const CONV: (&str, &str) = ("maquette_conv", ptx::CONV);
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
    let out = match tile(&sizes, x.dtype()) {
        Some(tile) => in_tiles(tile, &sizes, &x, &weight, [bias, shift.as_ref(), image.as_ref()])?,
        None => sum(&of_patches(&sizes, &x, &weight)?, bias, shift.as_ref(), image.as_ref())?,
    };
    as_image(&out)
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

impl Sizes {
    /// Output pixels of all rows.
    fn pixels(&self) -> usize {
        self.batch * self.out_height * self.out_width
    }
}

/// The tiles of `conv.cu`: output pixels of a block, input channels of a step, steps in shared memory, padding of a row.
const PIXELS: usize = 128;
const DEPTH: usize = 32;
const STAGES: usize = 4;
const LINE: usize = DEPTH + 8;

/// Blocks that keep a GPU busy: about one for each multiprocessor of a large one. Fewer are slower than a matrix product
/// that splits its sums.
const BLOCKS: usize = 96;

/// The output channels of a block of `conv.cu`, if that computes such a convolution and fills the GPU.
fn tile(sizes: &Sizes, dtype: DType) -> Option<usize> {
    let &Sizes { inputs, outputs, kernel, .. } = sizes;
    let tile = match outputs {
        ..=32 => 32,
        _ if outputs.is_multiple_of(160) => 160,
        _ => 128,
    };
    let blocks = sizes.pixels().div_ceil(PIXELS) * outputs.div_ceil(tile);
    let fits = matches!(dtype, DType::F16 | DType::BF16)
        && kernel > 1
        && inputs.is_multiple_of(DEPTH)
        && outputs.is_multiple_of(2)
        && blocks >= BLOCKS;
    fits.then_some(tile)
}

/// By `conv.cu`: `added` is bias, shift and image.
fn in_tiles(
    tile: usize,
    sizes: &Sizes,
    x: &Tensor,
    weight: &Tensor,
    added: [Option<&Tensor>; 3],
) -> Result<Tensor> {
    let &Sizes { batch, height, width, inputs, outputs, kernel, stride, before, out_height, out_width } =
        sizes;
    let out = output((batch, out_height, out_width, outputs), x.dtype(), x.device())?;
    let expected = [outputs, batch * outputs, out.elem_count()];
    for (tensor, expected) in added.iter().zip(expected) {
        if let Some(tensor) = tensor
            && (tensor.elem_count() != expected || tensor.dtype() != x.dtype())
        {
            bail!("{:?} {:?} cannot be added to {:?}", tensor.dtype(), tensor.shape(), out.shape())
        }
    }
    let counts =
        [inputs, height, width, outputs, out_height, out_width, kernel, stride, before, sizes.pixels()];
    let args: Vec<Arg> = [Arg::Tensor(&out), Arg::Tensor(x), Arg::Tensor(weight)]
        .into_iter()
        .chain(added.map(Arg::from))
        .chain(counts.map(Arg::Count))
        .collect();
    let grid = Grid {
        blocks: (sizes.pixels().div_ceil(PIXELS) * outputs.div_ceil(tile), 1),
        threads: 256,
        shared: STAGES * (PIXELS + tile) * LINE * x.dtype().size_in_bytes(),
    };
    let name = format!("conv_{}_{tile}", dtype_name(x.dtype()));
    launch(x.device(), CONV, &name, grid, &args)?;
    Ok(out)
}

/// By cuBLAS: the patches as a matrix, times the weight.
fn of_patches(sizes: &Sizes, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let &Sizes { batch, height, width, inputs, outputs, kernel, stride, before, out_height, out_width } =
        sizes;
    let out = output((batch, out_height, out_width, outputs), x.dtype(), x.device())?;
    let pixels = sizes.pixels();
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
