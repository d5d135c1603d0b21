//! The operations of a set of kernels, and their operands.
//!
//! Not here: any arithmetic, and which set is chosen.

use candle_core::{D, DType, Result, Tensor, bail};
use std::fmt::Debug;

/// A set of kernels: all operations of the layers.
///
/// Operands are tensors of one device. Mismatched shapes are errors. Results have the dtype of the first operand.
pub trait Kernels: Debug + Send + Sync {
    /// Its name, such as `cpu-f32`.
    fn name(&self) -> &'static str;

    /// Whether gradients flow through every operation: by candle's `backward`, or by that of a recording. If not, results
    /// are constants.
    fn is_differentiable(&self) -> bool;

    /// The dtype in which the weights of a model in `dtype` are kept in memory.
    ///
    /// It may be wider than `dtype`: the values are then rounded to `dtype` once and stored in the kernels' dtype.
    fn storage_dtype(&self, dtype: DType) -> DType;

    /// The dtype of the tensors between the layers of a model in `dtype`.
    fn activation_dtype(&self, dtype: DType) -> DType {
        dtype
    }

    /// The dtype in which norms, softmax and merged weights of a model in `dtype` are summed.
    fn accumulation_dtype(&self, dtype: DType) -> DType;

    /// The weight of a linear layer or convolution in the memory layout, and the dtype, that the kernels read without a
    /// copy. Shape and values stay.
    fn storage_layout(&self, weight: Tensor) -> Result<Tensor> {
        weight.contiguous()
    }

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

    /// A norm of the last axis by its root mean square (Zhang and Sennrich, arXiv 1910.07467): `x / sqrt(mean(x^2) + eps)` in
    /// f32, times `weight`, `[channels]`.
    fn rms_norm(&self, x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
        let wide = x.to_dtype(self.accumulation_dtype(x.dtype()))?;
        let scale = (wide.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
        wide.broadcast_div(&scale)?.to_dtype(x.dtype())?.broadcast_mul(&weight.to_dtype(x.dtype())?)
    }

    /// Scaled dot-product attention: `[B, queries, C]` to `[B, keys, C]`, C split among the heads.
    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor>;

    /// The first half of the channels times GELU of the second half.
    fn geglu(&self, x: &Tensor) -> Result<Tensor>;

    /// A linear layer, then [`Kernels::geglu`].
    fn linear_geglu(&self, x: &Tensor, linear: LinearOperands) -> Result<Tensor> {
        self.geglu(&self.linear(x, linear, None)?)
    }

    /// GELU, by the error function.
    fn gelu(&self, x: &Tensor) -> Result<Tensor>;

    /// x / (1 + e^(-1.702 x))
    fn quick_gelu(&self, x: &Tensor) -> Result<Tensor>;

    /// x / (1 + e^-x)
    fn silu(&self, x: &Tensor) -> Result<Tensor>;

    /// max(x, 0)
    fn relu(&self, x: &Tensor) -> Result<Tensor> {
        x.relu()
    }

    /// Resizes an image, taking the nearest pixel (torch's `nearest`).
    fn upsample_nearest(&self, x: &Tensor, height: usize, width: usize) -> Result<Tensor>;

    /// The channels of two images of one size, one after the other.
    fn concat(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        Tensor::cat(&[left, right], 1)
    }

    /// The product of two matrices, `[m, k]` by `[k, n]`.
    fn product(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        let right = LinearOperands { weight: &right.contiguous()?, bias: None };
        self.linear(&left.contiguous()?.unsqueeze(0)?, right, None)?.squeeze(0)
    }
}

/// The operands of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvOperands<'a> {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: &'a Tensor,
    /// `[outputs]`
    pub bias: Option<&'a Tensor>,
    /// The step between the kernel's positions, in pixels.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: Padding,
}

impl ConvOperands<'_> {
    /// Height and width of the result for an image `[B, inputs, h, w]`.
    pub(crate) fn output_size(&self, x: &Tensor) -> Result<(usize, usize)> {
        let (_, inputs, height, width) = x.dims4()?;
        let (_, expected, kernel, _) = self.weight.dims4()?;
        let (before, after) = self.padding.sides();
        let size = |size: usize| Some((size + before + after).checked_sub(kernel)? / self.stride + 1);
        match (size(height), size(width)) {
            (Some(height), Some(width)) if inputs == expected => Ok((height, width)),
            _ => bail!(
                "a convolution with weight {:?} cannot be applied to an image of {:?}",
                self.weight.shape(),
                x.shape()
            ),
        }
    }
}

/// The operands of a linear layer.
#[derive(Debug, Clone, Copy)]
pub struct LinearOperands<'a> {
    /// `[inputs, outputs]`, the transpose of the one in files, as the products need it.
    pub weight: &'a Tensor,
    /// `[outputs]`
    pub bias: Option<&'a Tensor>,
}

impl LinearOperands<'_> {
    /// The channels of the result for `x`, whose `inputs` channels must be the weight's.
    pub(crate) fn outputs(&self, inputs: usize, x: &Tensor) -> Result<usize> {
        let (expected, outputs) = self.weight.dims2()?;
        if inputs != expected {
            bail!("a linear layer with weight {:?} cannot be applied to {:?}", self.weight.shape(), x.shape())
        }
        Ok(outputs)
    }
}

/// The operands of a norm.
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
    /// This many on all sides.
    Around(usize),
    /// This many on the right and at the bottom: the autoencoder's downsampling.
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

/// What is added to a convolution's result.
#[derive(Debug, Clone, Copy)]
pub enum Add<'a> {
    /// Nothing.
    Nothing,
    /// One number for each row and channel, `[B, 1, outputs]`.
    Channels(&'a Tensor),
    /// An image of the result's shape.
    Image(&'a Tensor),
}

/// The activation after a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// x / (1 + e^-x)
    Silu,
}

/// Which keys a query attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    None,
    /// Those up to its own position.
    Causal,
}
