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
    let of = Groups::new(x, norm, groups)?;
    let out = output(of.x.shape(), of.x.dtype(), of.x.device())?;
    let partial = of.sums()?;
    let (blocks, part) = of.split(4096);
    let args = [&out, &of.x, &partial, &of.weight, &of.bias].map(Arg::Tensor);
    let with_silu = usize::from(then == Activation::Silu);
    let sizes = [of.pixels, of.channels, groups, of.slabs().0, part, of.lanes, with_silu];
    let args = args.into_iter().chain([Arg::Float(norm.eps as f32)]).chain(sizes.map(Arg::Count));
    of.launch("group_norm", blocks, 2 * groups, &args.collect::<Vec<_>>())?;
    as_image(&out)
}

/// The gradient of a group norm's image, for that of the result.
pub(super) fn group_norm_gradient(
    x: &Tensor,
    norm: NormOperands,
    groups: usize,
    then: Activation,
    gradient: &Tensor,
) -> Result<Tensor> {
    let of = Groups::new(x, norm, groups)?;
    let gradient = channels_last(gradient)?;
    if gradient.shape() != of.x.shape() || gradient.dtype() != of.x.dtype() {
        bail!("{:?} is no gradient of a group norm of {:?}", gradient.shape(), of.x.shape())
    }
    let (batch, (slabs, slab)) = (of.x.dim(0)?, of.slabs());
    let partial = of.sums()?;
    let slopes = output((batch, slabs, groups, 2), DType::F32, x.device())?;
    let with_silu = usize::from(then == Activation::Silu);
    let sizes = |slab| [of.pixels, of.channels, groups, slabs, slab, of.lanes, with_silu].map(Arg::Count);
    let eps = Arg::Float(norm.eps as f32);
    let args = [&slopes, &gradient, &of.x, &partial, &of.weight, &of.bias].map(Arg::Tensor);
    let args: Vec<Arg> = args.into_iter().chain([eps]).chain(sizes(slab)).collect();
    let shared = 2 * (of.lanes + 1) * of.channels + 2 * groups;
    of.launch("group_gradient_sums", slabs, shared, &args)?;

    let out = output(of.x.shape(), of.x.dtype(), x.device())?;
    let (blocks, part) = of.split(4096);
    let args = [&out, &gradient, &of.x, &partial, &slopes, &of.weight, &of.bias].map(Arg::Tensor);
    let args: Vec<Arg> = args.into_iter().chain([eps]).chain(sizes(part)).collect();
    of.launch("group_gradient", blocks, 4 * groups, &args)?;
    as_image(&out)
}

/// The operands of a group norm, and how its kernels split the work.
struct Groups {
    /// Channels last.
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    pixels: usize,
    channels: usize,
    lanes: usize,
    threads: usize,
}

impl Groups {
    fn new(x: &Tensor, norm: NormOperands, groups: usize) -> Result<Groups> {
        let x = channels_last(x)?;
        let (_, height, width, channels) = x.dims4()?;
        let pixels = height * width;
        let (weight, bias) = (norm.weight.contiguous()?, norm.bias.contiguous()?);
        let vectors = channels / variant("", x.dtype(), channels).1;
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
        Ok(Groups { x, weight, bias, groups, pixels, channels, lanes, threads })
    }

    /// The number of slabs of a row, at most `most`, and the pixels of each.
    fn split(&self, most: usize) -> (usize, usize) {
        let slabs = self.pixels.div_ceil(self.lanes * PIXELS).clamp(1, most);
        let slab = self.pixels.div_ceil(slabs);
        (self.pixels.div_ceil(slab), slab)
    }

    /// Those of the sums.
    fn slabs(&self) -> (usize, usize) {
        self.split(SLABS)
    }

    /// The sums of each slab and group.
    fn sums(&self) -> Result<Tensor> {
        let (slabs, slab) = self.slabs();
        let partial = output((self.x.dim(0)?, slabs, self.groups, 2), DType::F32, self.x.device())?;
        let counts = [self.pixels, self.channels, self.groups, slab, self.lanes].map(Arg::Count);
        let args: Vec<Arg> =
            [Arg::Tensor(&partial), Arg::Tensor(&self.x)].into_iter().chain(counts).collect();
        self.launch("group_sums", slabs, 2 * (self.lanes + 1) * self.channels, &args)?;
        Ok(partial)
    }

    /// Starts a kernel with `blocks` blocks for each row and `shared` floats of shared memory.
    fn launch(&self, kernel: &str, blocks: usize, shared: usize, args: &[Arg]) -> Result<()> {
        let (name, _) = variant(kernel, self.x.dtype(), self.channels);
        let grid = Grid {
            blocks: (blocks, self.x.dim(0)?),
            threads: self.threads,
            shared: shared * size_of::<f32>(),
        };
        launch(self.x.device(), NORM, &name, grid, args)
    }
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

/// The gradient of a layer norm's tokens, for that of the result.
pub(super) fn layer_norm_gradient(x: &Tensor, norm: NormOperands, gradient: &Tensor) -> Result<Tensor> {
    const WARPS: usize = 4;
    let (x, gradient) = (x.contiguous()?, gradient.contiguous()?);
    let channels = x.dim(candle_core::D::Minus1)?;
    let tokens = x.elem_count() / channels;
    let weight = norm.weight.contiguous()?;
    let fits = weight.elem_count() == channels
        && gradient.shape() == x.shape()
        && [&weight, &gradient].iter().all(|of| of.dtype() == x.dtype());
    if !fits {
        bail!("{:?} is no gradient of a layer norm of {:?}", gradient.shape(), x.shape())
    }
    let out = output(x.shape(), x.dtype(), x.device())?;
    let (name, _) = variant("layer_gradient", x.dtype(), channels);
    let args = [&out, &gradient, &x, &weight].map(Arg::Tensor);
    let sizes = [Arg::Float(norm.eps as f32), Arg::Count(channels), Arg::Count(tokens)];
    let args: Vec<Arg> = args.into_iter().chain(sizes).collect();
    let grid = Grid { blocks: (tokens.div_ceil(WARPS), 1), threads: WARPS * 32, shared: 0 };
    launch(x.device(), NORM, &name, grid, &args)?;
    Ok(out)
}
