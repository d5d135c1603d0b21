//! What a set of kernels computes, and with which operands.
//!
//! Not here: any arithmetic, and which set is chosen.

use candle_core::{DType, Result, Tensor};
use std::fmt::Debug;

/// A set of kernels: everything that a layer computes.
///
/// Operands are tensors of one device. Shapes that do not fit are errors. Results have the dtype of the first operand.
pub trait Kernels: Debug + Send + Sync {
    /// Its name, such as `cpu-f32`.
    fn name(&self) -> &'static str;

    /// Whether gradients flow through every operation. Where not, results are constants to candle's `backward`.
    fn is_differentiable(&self) -> bool;

    /// The dtype in which the weights of a model in `dtype` are kept in memory.
    ///
    /// It may be wider than `dtype`: the values are then rounded to `dtype` once and kept as what the kernels read.
    fn storage_dtype(&self, dtype: DType) -> DType;

    /// The dtype in which norms, softmax and merged weights of a model in `dtype` are summed.
    fn accumulation_dtype(&self, dtype: DType) -> DType;

    /// Convolves an image `[B, inputs, h, w]` and adds bias and `add`.
    fn conv2d(&self, x: &Tensor, conv: ConvOperands, add: Add) -> Result<Tensor>;

    /// A linear layer on tokens, plus `residual` of the result's shape.
    fn linear(&self, x: &Tensor, linear: LinearOperands, residual: Option<&Tensor>) -> Result<Tensor>;

    /// A linear layer on the pixels of an image: `[B, inputs, h, w]` to `[B, h * w, outputs]`.
    fn image_to_tokens(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor>;

    /// A linear layer on tokens that are the pixels of an image, plus `residual`, that image.
    fn tokens_to_image(&self, x: &Tensor, linear: LinearOperands, residual: &Tensor) -> Result<Tensor>;

    /// A norm over groups of an image's channels and all positions and, in one pass, its activation.
    fn group_norm(&self, x: &Tensor, norm: NormOperands, groups: usize, then: Activation) -> Result<Tensor>;

    /// A norm over the channels of each token.
    fn layer_norm(&self, x: &Tensor, norm: NormOperands) -> Result<Tensor>;

    /// Scaled dot-product attention: `[B, queries, C]` to `[B, keys, C]`, C split among the heads.
    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor>;

    /// The first half of the channels times GELU of the second half.
    fn geglu(&self, x: &Tensor) -> Result<Tensor>;

    /// GELU, by the error function.
    fn gelu(&self, x: &Tensor) -> Result<Tensor>;

    /// x / (1 + e^(-1.702 x))
    fn quick_gelu(&self, x: &Tensor) -> Result<Tensor>;

    /// x / (1 + e^-x)
    fn silu(&self, x: &Tensor) -> Result<Tensor>;

    /// An image of another size, each pixel the nearest one of the old (torch's `nearest`).
    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor>;

    /// The product of two matrices, `[m, k]` by `[k, n]`.
    fn product(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        let right = LinearOperands { weight: &right.contiguous()?, bias: None };
        self.linear(&left.contiguous()?.unsqueeze(0)?, right, None)?.squeeze(0)
    }
}

/// What a convolution computes with.
#[derive(Debug, Clone, Copy)]
pub struct ConvOperands<'a> {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: &'a Tensor,
    /// `[outputs]`
    pub bias: Option<&'a Tensor>,
    /// Step between the pixels it looks at.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: Padding,
}

/// What a linear layer computes with.
#[derive(Debug, Clone, Copy)]
pub struct LinearOperands<'a> {
    /// `[inputs, outputs]`, transposed from what files hold, because every product wants it so.
    pub weight: &'a Tensor,
    /// `[outputs]`
    pub bias: Option<&'a Tensor>,
}

/// What a norm computes with.
#[derive(Debug, Clone, Copy)]
pub struct NormOperands<'a> {
    /// `[channels]`
    pub weight: &'a Tensor,
    /// `[channels]`
    pub bias: &'a Tensor,
    /// Added to the variance.
    pub eps: f64,
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
    pub(crate) fn sides(self) -> (usize, usize) {
        match self {
            Padding::Around(count) => (count, count),
            Padding::After(count) => (0, count),
        }
    }
}

/// What a convolution's result is added to.
#[derive(Debug, Clone, Copy)]
pub enum Add<'a> {
    /// Nothing.
    Nothing,
    /// One number for each row and channel, `[B, 1, outputs]`.
    Channels(&'a Tensor),
    /// An image of the result's shape.
    Image(&'a Tensor),
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
