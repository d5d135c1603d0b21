//! What a prompt becomes for the UNet, by one text encoder or two.
//!
//! Not here: reading the prompt, and the encoders themselves.

use candle_core::{D, Result, Tensor};

/// An encoded prompt, one row.
#[derive(Debug, Clone)]
pub struct EncodedPrompt {
    /// An embedding for each token, `[1, tokens, width]`.
    pub sequence: Tensor,
    /// One for the whole prompt, `[1, pooled_width]`, where the UNet takes one (SDXL).
    pub pooled: Option<Tensor>,
}

impl EncodedPrompt {
    /// What two encoders made of the same prompt, side by side; the whole prompt's is the second's (diffusers,
    /// `pipeline_stable_diffusion_xl.py`).
    pub(crate) fn beside(self, second: EncodedPrompt) -> Result<EncodedPrompt> {
        let sequence = Tensor::cat(&[self.sequence, second.sequence], D::Minus1)?;
        Ok(EncodedPrompt { sequence, pooled: second.pooled })
    }

    /// Zeros of the same shape: what SDXL takes for an empty negative prompt.
    pub(crate) fn zeroed(&self) -> Result<EncodedPrompt> {
        let pooled = self.pooled.as_ref().map(Tensor::zeros_like).transpose()?;
        Ok(EncodedPrompt { sequence: self.sequence.zeros_like()?, pooled })
    }
}
