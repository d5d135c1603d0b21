//! A low-rank branch of a layer: LoRA (Hu et al., arXiv 2106.09685), in LoCon's form for convolutions.
//!
//! The layer computes `x W + scale (x A) B`. Not here: loading the factors.

use crate::recording;
use crate::set::Kernels;
use candle_core::{Result, Tensor};

/// A low-rank branch of a linear layer or a convolution.
///
/// Its tensors may be candle variables; with differentiable kernels they then receive gradients.
#[derive(Debug, Clone)]
pub struct Branch {
    /// A: `[rank, inputs]`, or `[rank, inputs, kernel, kernel]` of a convolution.
    pub down: Tensor,
    /// B: `[outputs, rank]`, also for a convolution, where its kernel size is 1.
    pub up: Tensor,
    /// The branch's factor: its weight times alpha / rank.
    pub scale: f64,
}

impl Branch {
    /// A convolution's branch with three factors (LyCORIS' `lora_mid`): `down` `[inner, inputs]`, `mid`
    /// `[rank, inner, kernel, kernel]`, `up` `[outputs, rank]`.
    ///
    /// Two consecutive convolutions are one, so `mid` and `down` become a single factor.
    pub fn with_mid(
        kernels: &dyn Kernels,
        down: &Tensor,
        mid: &Tensor,
        up: Tensor,
        scale: f64,
    ) -> Result<Branch> {
        let (rank, inner, height, width) = mid.dims4()?;
        let inputs = down.dim(1)?;
        let mid = mid.permute((0, 2, 3, 1))?.reshape((rank * height * width, inner))?;
        let both = kernels.product(&mid, down)?.reshape((rank, height, width, inputs))?;
        Ok(Branch { down: both.permute((0, 3, 1, 2))?.contiguous()?, up, scale })
    }

    /// The change of a weight of this shape: `[inputs, outputs]`, or `[outputs, inputs, kernel, kernel]`.
    pub(crate) fn product(&self, kernels: &dyn Kernels, like: &Tensor) -> Result<Tensor> {
        let (down, up) = self.factors(like)?;
        let product = match like.rank() {
            2 => kernels.product(&down.t()?, &up.t()?)?,
            _ => kernels.product(&up, &down.flatten_from(1)?)?,
        };
        (product * self.scale)?.reshape(like.shape())
    }

    /// Down `[inputs, rank]` and up `[rank, outputs]` of a linear layer with such a weight; up is scaled.
    pub(crate) fn transposed(&self, like: &Tensor) -> Result<[Tensor; 2]> {
        let factor = |tensor: &Tensor, scale| {
            recording::transposed(&tensor.to_device(like.device())?, like.dtype(), scale)
        };
        Ok([factor(&self.down, 1.0)?, factor(&self.up, self.scale)?])
    }

    /// Down `[rank, inputs, kernel, kernel]` and up `[outputs, rank, 1, 1]` of a convolution with such a weight; up is scaled.
    pub(crate) fn convolutions(&self, like: &Tensor) -> Result<[Tensor; 2]> {
        let (down, up) = self.factors(like)?;
        let (outputs, rank) = up.dims2()?;
        Ok([down, (up.reshape((outputs, rank, 1, 1))? * self.scale)?])
    }

    /// Down and up on the device and in the dtype of a weight.
    fn factors(&self, like: &Tensor) -> Result<(Tensor, Tensor)> {
        let factor = |tensor: &Tensor| tensor.to_device(like.device())?.to_dtype(like.dtype());
        Ok((factor(&self.down)?, factor(&self.up)?))
    }
}
