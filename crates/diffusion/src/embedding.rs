//! What a prompt becomes for the UNet, by one text encoder or two.
//!
//! Not here: reading the prompt, and the encoders themselves.

use candle_core::{D, Result, Tensor};

/// An encoded prompt, one row.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// An embedding for each token, `[1, tokens, width]`.
    pub sequence: Tensor,
    /// One for the whole prompt, `[1, pooled_width]`, where the UNet takes one (SDXL).
    pub pooled: Option<Tensor>,
}

impl Embedding {
    /// What two encoders made of the same prompt, side by side; the whole prompt's is the second's (diffusers,
    /// `pipeline_stable_diffusion_xl.py`).
    pub(crate) fn beside(self, second: Embedding) -> Result<Embedding> {
        let sequence = Tensor::cat(&[self.sequence, second.sequence], D::Minus1)?;
        Ok(Embedding { sequence, pooled: second.pooled })
    }

    /// Zeros of the same shape: what SDXL takes for an empty negative prompt.
    pub(crate) fn zeroed(&self) -> Result<Embedding> {
        let pooled = self.pooled.as_ref().map(Tensor::zeros_like).transpose()?;
        Ok(Embedding { sequence: self.sequence.zeros_like()?, pooled })
    }
}
