//! Layers: parameters together with the kernels that compute with them.
//!
//! Not here: the kernels' implementation, and which layers a model has.

use crate::set::{Activation, Add, ConvOperands, Kernels, LinearOperands, NormOperands, Padding};
use crate::vector::Vector;
use crate::weight::{Operands, Weight};
use candle_core::{Result, Tensor};

/// A linear layer.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[inputs, outputs]`
    pub weight: Weight,
    /// `[outputs]`
    pub bias: Option<Vector>,
}

impl Linear {
    /// A layer with a weight `[inputs, outputs]`, the transpose of the one in files, and a bias `[outputs]`.
    pub fn new(weight: Weight, bias: Option<Tensor>) -> Linear {
        Linear { weight, bias: bias.map(Vector::new) }
    }

    /// Tokens `[B, count, inputs]` to `[B, count, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.on_tokens(x, None)
    }

    /// The same plus `residual`, which has the result's shape.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.on_tokens(x, Some(residual))
    }

    /// The layer, then GEGLU, which halves the channels.
    pub fn forward_geglu(&self, x: &Tensor) -> Result<Tensor> {
        let (kernels, state, bias) = self.state()?;
        if state.branches.is_empty() {
            kernels.linear_geglu(x, LinearOperands { weight: &state.weight, bias: bias.as_ref() })
        } else {
            kernels.geglu(&self.forward(x)?)
        }
    }

    /// The pixels of an image as tokens: `[B, inputs, h, w]` to `[B, h * w, outputs]`.
    pub fn image_to_tokens(&self, x: &Tensor) -> Result<Tensor> {
        let (kernels, state, bias) = self.state()?;
        let operands = LinearOperands { weight: &state.weight, bias: bias.as_ref() };
        let mut h = kernels.image_to_tokens(x, operands)?;
        for branch in &*state.branches {
            let [down, up] = branch.transposed(&state.weight)?;
            let low = kernels.image_to_tokens(x, LinearOperands { weight: &down, bias: None })?;
            let up = LinearOperands { weight: &up, bias: None };
            h = kernels.linear(&low, up, Some(&h))?;
        }
        Ok(h)
    }

    /// Tokens `[B, h * w, inputs]` as the pixels of an image, plus `residual`, `[B, outputs, h, w]`.
    pub fn tokens_to_image(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let (kernels, state, bias) = self.state()?;
        let operands = LinearOperands { weight: &state.weight, bias: bias.as_ref() };
        let mut h = kernels.tokens_to_image(x, operands, residual)?;
        for branch in &*state.branches {
            let [down, up] = branch.transposed(&state.weight)?;
            let low = kernels.linear(x, LinearOperands { weight: &down, bias: None }, None)?;
            let up = LinearOperands { weight: &up, bias: None };
            h = kernels.tokens_to_image(&low, up, &h)?;
        }
        Ok(h)
    }

    fn on_tokens(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let (kernels, state, bias) = self.state()?;
        let operands = LinearOperands { weight: &state.weight, bias: bias.as_ref() };
        let mut h = kernels.linear(x, operands, residual)?;
        for branch in &*state.branches {
            let [down, up] = branch.transposed(&state.weight)?;
            let low = kernels.linear(x, LinearOperands { weight: &down, bias: None }, None)?;
            let up = LinearOperands { weight: &up, bias: None };
            h = kernels.linear(&low, up, Some(&h))?;
        }
        Ok(h)
    }

    /// The kernels, the weight and the bias that it currently computes with.
    fn state(&self) -> Result<(&'static dyn Kernels, Operands, Option<Tensor>)> {
        Ok((self.weight.kernels(), self.weight.operands()?, self.bias.as_ref().map(Vector::current)))
    }
}

/// A convolution.
#[derive(Debug, Clone)]
pub struct Conv2d {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: Weight,
    /// `[outputs]`
    pub bias: Option<Vector>,
    stride: usize,
    padding: Padding,
}

impl Conv2d {
    /// A layer with a weight `[outputs, inputs, kernel, kernel]` and a bias `[outputs]`.
    pub fn new(weight: Weight, bias: Option<Tensor>, stride: usize, padding: Padding) -> Conv2d {
        Conv2d { weight, bias: bias.map(Vector::new), stride, padding }
    }

    /// An image `[B, inputs, h, w]` to one with `outputs` channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_add(x, Add::Nothing)
    }

    /// The same plus `add`.
    pub fn forward_add(&self, x: &Tensor, add: Add) -> Result<Tensor> {
        let &Conv2d { stride, padding, .. } = self;
        let (kernels, state) = (self.weight.kernels(), self.weight.operands()?);
        let bias = self.bias.as_ref().map(Vector::current);
        let operands = ConvOperands { weight: &state.weight, bias: bias.as_ref(), stride, padding };
        let mut h = kernels.conv2d(x, operands, add)?;
        for branch in &*state.branches {
            let [down, up] = branch.convolutions(&state.weight)?;
            let down = ConvOperands { weight: &down, bias: None, stride, padding };
            let low = kernels.conv2d(x, down, Add::Nothing)?;
            let up = ConvOperands { weight: &up, bias: None, stride: 1, padding: Padding::Around(0) };
            h = kernels.conv2d(&low, up, Add::Image(&h))?;
        }
        Ok(h)
    }
}

/// A norm over groups of channels and all positions of an image.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    kernels: &'static dyn Kernels,
    /// `[channels]`
    pub weight: Vector,
    /// `[channels]`
    pub bias: Vector,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// A norm with `weight` and `bias` `[channels]`; `groups` divides the channels, `eps` is added to the variance.
    pub fn new(
        kernels: &'static dyn Kernels,
        weight: Tensor,
        bias: Tensor,
        groups: usize,
        eps: f64,
    ) -> GroupNorm {
        GroupNorm { kernels, weight: Vector::new(weight), bias: Vector::new(bias), groups, eps }
    }

    /// The normalised image, then its activation.
    pub fn forward(&self, x: &Tensor, then: Activation) -> Result<Tensor> {
        let (weight, bias) = (self.weight.current(), self.bias.current());
        let norm = NormOperands { weight: &weight, bias: &bias, eps: self.eps };
        self.kernels.group_norm(x, norm, self.groups, then)
    }
}

/// A norm of the last axis by its root mean square.
#[derive(Debug)]
pub struct RmsNorm {
    kernels: &'static dyn Kernels,
    /// `[channels]`
    pub weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    /// A norm with `weight` `[channels]`; `eps` is added to the mean square.
    pub fn new(kernels: &'static dyn Kernels, weight: Tensor, eps: f64) -> RmsNorm {
        RmsNorm { kernels, weight, eps }
    }

    /// The normalised values, whose last axis has that many channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.kernels.rms_norm(x, &self.weight, self.eps)
    }
}

/// A norm over the channels of one token.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    kernels: &'static dyn Kernels,
    /// `[channels]`
    pub weight: Vector,
    /// `[channels]`
    pub bias: Vector,
    eps: f64,
}

impl LayerNorm {
    /// A norm with `weight` and `bias` `[channels]`; `eps` is added to the variance.
    pub fn new(kernels: &'static dyn Kernels, weight: Tensor, bias: Tensor, eps: f64) -> LayerNorm {
        LayerNorm { kernels, weight: Vector::new(weight), bias: Vector::new(bias), eps }
    }

    /// The normalised tokens.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (self.weight.current(), self.bias.current());
        self.kernels.layer_norm(x, NormOperands { weight: &weight, bias: &bias, eps: self.eps })
    }
}
