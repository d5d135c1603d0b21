//! Group norm and layer norm: the launches of the kernels in `norm.cu`.

use super::launch::{Arg, Grid, launch, output, ptx};
use super::names::variant;
use crate::layout::{as_image, channels_last};
use crate::set::{Activation, NormOperands};
use candle_core::{DType, Result, Tensor, bail};

const NORM: (&str, &str) = ("maquette_norm", ptx::NORM);

/// Threads of a block, about; a lane has one thread for each vector of channels.
const THREADS: usize = 512;
/// Pixels that each lane sums, at least, and the largest number of slabs that an image is split into.
const PIXELS: usize = 8;
const SLABS: usize = 64;

/// A norm over groups of an image's channels and all pixels, then its activation.
pub(super) fn group_norm(x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor> {
    let x = channels_last(x)?;
    let (batch, height, width, channels) = x.dims4()?;
    let pixels = height * width;
    let (weight, bias) = (norm.weight.contiguous()?, norm.bias.contiguous()?);
    let (sums, vector) = variant("group_sums", x.dtype(), channels);
    let (normalise, _) = variant("group_norm", x.dtype(), channels);
    let vectors = channels / vector;
    let lanes = (THREADS / vectors).clamp(1, pixels.max(1));
    let threads = (vectors * lanes).next_multiple_of(32);
    let fits = channels.is_multiple_of(groups)
        && threads <= 1024
        && [&weight, &bias].iter().all(|of| of.elem_count() == channels && of.dtype() == x.dtype());
    if !fits {
        bail!(
            "group norm with weight {:?} and {groups} groups cannot be applied to {:?}",
            weight.shape(),
            x.shape()
        )
    }
    let split = |most: usize| {
        let slabs = pixels.div_ceil(lanes * PIXELS).clamp(1, most);
        let slab = pixels.div_ceil(slabs);
        (pixels.div_ceil(slab), slab)
    };
    let (slabs, slab) = split(SLABS);
    let partial = output((batch, slabs, groups, 2), DType::F32, x.device())?;
    let args = [Arg::Tensor(&partial), Arg::Tensor(&x)]
        .into_iter()
        .chain([pixels, channels, groups, slab, lanes].map(Arg::Count));
    let shared = 2 * (lanes + 1) * channels * size_of::<f32>();
    let grid = Grid { blocks: (slabs, batch), threads, shared };
    launch(x.device(), NORM, &sums, grid, &args.collect::<Vec<_>>())?;

    let out = output(x.shape(), x.dtype(), x.device())?;
    let (blocks, part) = split(4096);
    let args = [
        Arg::Tensor(&out),
        Arg::Tensor(&x),
        Arg::Tensor(&partial),
        Arg::Tensor(&weight),
        Arg::Tensor(&bias),
        Arg::Float(norm.eps as f32),
    ];
    let with_silu = usize::from(then == Activation::Silu);
    let sizes = [pixels, channels, groups, slabs, part, lanes, with_silu];
    let args = args.into_iter().chain(sizes.map(Arg::Count));
    let shared = 2 * groups * size_of::<f32>();
    let grid = Grid { blocks: (blocks, batch), threads, shared };
    launch(x.device(), NORM, &normalise, grid, &args.collect::<Vec<_>>())?;
    as_image(&out)
}

/// A norm over the last axis.
pub(super) fn layer_norm(x: &Tensor, norm: NormOperands) -> Result<Tensor> {
    const WARPS: usize = 4;
    let x = x.contiguous()?;
    let channels = x.dim(candle_core::D::Minus1)?;
    let tokens = x.elem_count() / channels;
    let (weight, bias) = (norm.weight.contiguous()?, norm.bias.contiguous()?);
    if [&weight, &bias].iter().any(|of| of.elem_count() != channels || of.dtype() != x.dtype()) {
        bail!("layer norm with weight {:?} cannot be applied to {:?}", weight.shape(), x.shape())
    }
    let out = output(x.shape(), x.dtype(), x.device())?;
    let (name, _) = variant("layer_norm", x.dtype(), channels);
    let args = [
        Arg::Tensor(&out),
        Arg::Tensor(&x),
        Arg::Tensor(&weight),
        Arg::Tensor(&bias),
        Arg::Float(norm.eps as f32),
        Arg::Count(channels),
        Arg::Count(tokens),
    ];
    let grid = Grid { blocks: (tokens.div_ceil(WARPS), 1), threads: WARPS * 32, shared: 0 };
    launch(x.device(), NORM, &name, grid, &args)?;
    Ok(out)
}
