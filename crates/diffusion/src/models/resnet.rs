//! The residual block that UNet and autoencoder share: diffusers' `ResnetBlock2D`.
//!
//! Not here: its variants with scale and shift, with up- and downsampling, and dropout.

use crate::error::ModelError;
use crate::weights::tensors::Weights;
use candle_core::{Result, Tensor};
use maquette_kernels::{Activation, Add, Conv2d, GroupNorm, Linear, Padding};

/// Norm, SiLU, convolution, plus the time embedding; norm, SiLU, convolution, plus the input.
#[derive(Clone)]
pub(crate) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
}

impl Resnet {
    /// `time` is the width of the time embedding, `None` outside the UNet.
    pub(crate) fn load(
        weights: &Weights,
        inputs: usize,
        outputs: usize,
        time: Option<usize>,
        groups: usize,
        eps: f64,
    ) -> std::result::Result<Resnet, ModelError> {
        let conv = |name, inputs| weights.at(name).conv2d(inputs, outputs, 3, 1, Padding::Around(1));
        let shortcut = || weights.at("conv_shortcut").conv2d(inputs, outputs, 1, 1, Padding::Around(0));
        Ok(Resnet {
            norm1: weights.at("norm1").group_norm(inputs, groups, eps)?,
            conv1: conv("conv1", inputs)?,
            time_emb_proj: time
                .map(|time| weights.at("time_emb_proj").linear(time, outputs, true))
                .transpose()?,
            norm2: weights.at("norm2").group_norm(outputs, groups, eps)?,
            conv2: conv("conv2", outputs)?,
            conv_shortcut: if inputs == outputs { None } else { Some(shortcut()?) },
        })
    }

    /// `x` is `[B, inputs, h, w]`; `time` is SiLU of the time embedding, `[B, 1, time]`.
    pub(crate) fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let time = match (&self.time_emb_proj, time) {
            (Some(proj), Some(time)) => Some(proj.forward(time)?),
            _ => None,
        };
        let h = self.norm1.forward(x, Activation::Silu)?;
        let h = self.conv1.forward_add(&h, time.as_ref().map_or(Add::Nothing, Add::Channels))?;
        let h = self.norm2.forward(&h, Activation::Silu)?;
        match &self.conv_shortcut {
            Some(conv) => self.conv2.forward_add(&h, Add::Image(&conv.forward(x)?)),
            None => self.conv2.forward_add(&h, Add::Image(x)),
        }
    }
}
