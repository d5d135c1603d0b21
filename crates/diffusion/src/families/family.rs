//! What the sampler asks of a model, whatever networks it is made of.

use crate::error::ModelError;
use crate::families::error::RenderError;
use crate::image::posterior::Posterior;
use crate::schedulers::{Sampling, ScheduleError, Trajectory};
use crate::text::conditioning::Conditioning;
use crate::text::encoded_prompt::EncodedPrompt;
use crate::weights::lora::LoraError;
use crate::weights::source::ModelSource;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Lora, Settings};

/// A loaded model of one family.
///
/// Latents are f32 on the model's device outside of it; what precision it computes in is its own affair.
pub(crate) trait Family {
    /// Pixels that one latent cell spans, each way.
    fn factor(&self) -> usize;

    /// The channels of its latents.
    fn latent_channels(&self) -> usize;

    /// Whether it was made for inpainting: its input is the latents, then a mask `[1, 1, height, width]`, then the
    /// latents of the picture without the masked part.
    fn sees_masks(&self) -> bool;

    /// Everything that happens to the latents of one picture: weights that are written down in advance. Refuses
    /// schedulers, prediction types and configurations that the family does not have.
    fn trajectory(&self, sampling: &Sampling) -> std::result::Result<Trajectory, ScheduleError>;

    /// Computes with these LoRAs and no others; without any after an error. A LoRA may name the layers of text encoders
    /// and denoiser.
    fn set_loras(&mut self, loras: &[Lora]) -> std::result::Result<(), LoraError>;

    /// What the prompts of a picture become, under the LoRAs of now. A sentence for each prompt that loses words is added
    /// to `cut`.
    fn conditioning(
        &mut self,
        settings: &Settings,
        cut: &mut Vec<String>,
    ) -> std::result::Result<Conditioning, RenderError>;

    /// What the denoiser predicts for each row, `[rows, latent_channels, height, width]`: noise or velocity, as the
    /// trajectory takes it. No row depends on another; on the CPU not by a bit.
    fn predict(&self, rows: &Rows) -> Result<Tensor>;

    /// Where the latents of pixels `[1, 3, height, width]` in -1 to 1 lie.
    fn encode(&self, pixels: &Tensor) -> Result<Posterior>;

    /// Pixels `[rows, 3, height, width]`, about -1 to 1 and not clamped, of latents `[rows, latent_channels, height /
    /// factor, width / factor]`. No row depends on another; on the CPU not by a bit.
    fn decode(&self, latents: &Tensor) -> Result<Tensor>;

    /// Takes the autoencoder of `source` instead of its own; it must have as many latent channels.
    fn replace_vae(
        &mut self,
        source: &ModelSource,
        device: &Device,
        dtype: DType,
    ) -> std::result::Result<(), ModelError>;
}

/// The rows of one call of the denoiser: pictures of one size, each row with its own timestep and prompt.
pub(crate) struct Rows<'a> {
    /// `[rows, channels, height, width]`, f32: the latents, and what [`Family::sees_masks`] says beside them.
    pub latents: Tensor,
    /// One for each row.
    pub timesteps: Vec<f32>,
    /// One for each row, their sequences of one length.
    pub prompts: Vec<&'a EncodedPrompt>,
    /// Height and width of the pictures, in pixels.
    pub size: (u32, u32),
}

impl Rows<'_> {
    /// The prompts' embeddings of all rows, `[rows, tokens, width]`.
    pub fn sequences(&self) -> Result<Tensor> {
        let sequences: Vec<&Tensor> = self.prompts.iter().map(|prompt| &prompt.sequence).collect();
        Tensor::cat(&sequences, 0)
    }
}
