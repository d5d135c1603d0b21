//! The one seam for heavy arithmetic: what the models' blocks are made of, and nothing of the models themselves.
//!
//! Every operation exists twice. `cpu` has kernels of our own, fused and tiled so that a row of a batch comes out the
//! same to the bit whatever the other rows and however many threads there are. `reference` says the same in candle's
//! operations: the reference that the kernels are tested against, and what runs on GPUs. Norms and softmax are
//! computed in f32 in both, whatever the dtype.
//!
//! Images are `[B, channels, height, width]`, tokens `[B, count, channels]`.

mod cpu;
mod reference;
mod weight;

use candle_core::{Result, Tensor};
pub use weight::Weight;

/// A linear layer.
pub struct Linear {
    /// `[inputs, outputs]`: transposed once at loading, because every product wants it so.
    pub weight: Weight,
    bias: Option<Tensor>,
}

impl Linear {
    /// From a weight `[outputs, inputs]`, as files have it.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Linear> {
        Ok(Linear { weight: Weight::new(weight.t()?.contiguous()?), bias })
    }
}

/// A convolution.
pub struct Conv2d {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: Weight,
    /// `[outputs]`
    pub bias: Tensor,
    /// Step between the pixels it looks at.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: Padding,
}

/// Where a convolution pads its image with zeros.
#[derive(Debug, Clone, Copy)]
pub enum Padding {
    /// That many on all sides.
    Around(usize),
    /// That many on the right and at the bottom: the autoencoder's downsampling.
    After(usize),
}

impl Padding {
    /// diffusers' `Downsample2D`: a padding of 0 there means one row and one column at the end.
    pub fn of_downsampler(padding: usize) -> Padding {
        if padding == 0 { Padding::After(1) } else { Padding::Around(padding) }
    }

    /// Zeros before and after each axis.
    fn sides(self) -> (usize, usize) {
        match self {
            Padding::Around(count) => (count, count),
            Padding::After(count) => (0, count),
        }
    }
}

/// What a convolution's result is added to.
#[derive(Clone, Copy)]
pub enum Add<'a> {
    /// Nothing.
    Nothing,
    /// One number for each row and channel, `[B, 1, outputs]`.
    Channels(&'a Tensor),
    /// An image of the result's shape.
    Image(&'a Tensor),
}

/// A norm over groups of channels and all positions of an image.
pub struct GroupNorm {
    /// `[channels]`
    pub weight: Tensor,
    /// `[channels]`
    pub bias: Tensor,
    /// How many groups.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
}

/// A norm over the channels of one token.
pub struct LayerNorm {
    /// `[channels]`
    pub weight: Tensor,
    /// `[channels]`
    pub bias: Tensor,
    /// Added to the variance.
    pub eps: f64,
}

/// What follows a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// x / (1 + e^-x)
    Silu,
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    None,
    /// Those at its own position and before.
    Causal,
}

/// Calls the CPU's kernel or the plain version, by where the first tensor lies.
macro_rules! dispatch {
    ($name:ident($first:expr $(, $more:expr)*)) => {
        if $first.device().is_cpu() { cpu::$name($first $(, $more)*) } else { reference::$name($first $(, $more)*) }
    };
}

/// Convolves an image and adds bias and `add`.
pub fn conv2d(x: &Tensor, conv: &Conv2d, add: Add) -> Result<Tensor> {
    dispatch!(conv2d(x, conv, add))
}

/// A linear layer on tokens.
pub fn linear(x: &Tensor, linear: &Linear) -> Result<Tensor> {
    dispatch!(linear(x, linear, None))
}

/// A linear layer on tokens, plus `residual` of the result's shape.
pub fn linear_add(x: &Tensor, linear: &Linear, residual: &Tensor) -> Result<Tensor> {
    dispatch!(linear(x, linear, Some(residual)))
}

/// The product of two matrices, `[m, k]` by `[k, n]`.
pub fn product(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let right = Linear { weight: Weight::new(right.contiguous()?), bias: None };
    linear(&left.contiguous()?.unsqueeze(0)?, &right)?.squeeze(0)
}

/// A linear layer on the pixels of an image: `[B, inputs, h, w]` to `[B, h * w, outputs]`.
pub fn image_to_tokens(x: &Tensor, linear: &Linear) -> Result<Tensor> {
    dispatch!(image_to_tokens(x, linear))
}

/// A linear layer on tokens that are the pixels of an image, plus `residual`, that image.
pub fn tokens_to_image(x: &Tensor, linear: &Linear, residual: &Tensor) -> Result<Tensor> {
    dispatch!(tokens_to_image(x, linear, residual))
}

/// A group norm and, in one pass, its activation.
pub fn group_norm(x: &Tensor, norm: &GroupNorm, activation: Activation) -> Result<Tensor> {
    dispatch!(group_norm(x, norm, activation))
}

/// A layer norm on tokens.
pub fn layer_norm(x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
    dispatch!(layer_norm(x, norm))
}

/// Scaled dot-product attention: `[B, queries, C]` to `[B, keys, C]`, C split among the heads.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
    dispatch!(attention(q, k, v, heads, mask))
}

/// The first half of the channels times GELU of the second half.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    dispatch!(geglu(x))
}

/// GELU, by the error function.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    dispatch!(gelu(x))
}

/// x / (1 + e^(-1.702 x))
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    dispatch!(quick_gelu(x))
}

/// x / (1 + e^-x)
pub fn silu(x: &Tensor) -> Result<Tensor> {
    dispatch!(silu(x))
}

/// An image of another size, each pixel the nearest one of the old (torch's `nearest`).
pub fn upsample_nearest(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    dispatch!(upsample_nearest(x, height, width))
}

#[cfg(test)]
mod tests;
