//! An encoded prompt, the UNet's input, from one text encoder or two.
//!
//! Not here: parsing the prompt, and the encoders.

use candle_core::{D, Result, Tensor};

/// An encoded prompt, one row.
#[derive(Debug, Clone)]
pub struct EncodedPrompt {
    /// An embedding for each token, `[1, tokens, width]`.
    pub sequence: Tensor,
    /// An embedding of the whole prompt, `[1, pooled_width]`, if the UNet takes one (SDXL).
    pub pooled: Option<Tensor>,
}

impl EncodedPrompt {
    /// Concatenates two encoders' embeddings of the same prompt; the pooled one is the second's (diffusers,
    /// `pipeline_stable_diffusion_xl.py`).
    pub(crate) fn concat(self, second: EncodedPrompt) -> Result<EncodedPrompt> {
        let sequence = Tensor::cat(&[self.sequence, second.sequence], D::Minus1)?;
        Ok(EncodedPrompt { sequence, pooled: second.pooled })
    }

    /// Zeros of the same shape, as SDXL uses for an empty negative prompt.
    pub(crate) fn zeroed(&self) -> Result<EncodedPrompt> {
        let pooled = self.pooled.as_ref().map(Tensor::zeros_like).transpose()?;
        Ok(EncodedPrompt { sequence: self.sequence.zeros_like()?, pooled })
    }
}
