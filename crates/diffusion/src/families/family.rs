//! The interface between the sampler and a model, regardless of its networks.

use crate::error::ModelError;
use crate::families::error::RenderError;
use crate::image::posterior::Posterior;
use crate::models::unet::controlnet::ControlNet;
use crate::models::unet::depth::Depth;
use crate::models::unet::ip_adapter::{ImagePrompt, IpAdapter};
use crate::schedulers::{Sampling, ScheduleError, Trajectory};
use crate::text::conditioning::Conditioning;
use crate::text::encoded_prompt::EncodedPrompt;
use crate::weights::lora::{LoraError, LoraMemory};
use crate::weights::source::ModelSource;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Lora, Settings};
use std::collections::BTreeMap;

/// A loaded model of one family.
///
/// Latents passed in and out are f32 on the model's device; internally it may use another precision.
pub(crate) trait Family {
    /// Pixels per latent pixel, in each direction.
    fn factor(&self) -> usize;

    /// Width and height of a picture are multiples of this many pixels.
    fn multiple_of(&self) -> usize {
        self.factor()
    }

    /// Channels of its latents.
    fn latent_channels(&self) -> usize;

    /// Whether it is an inpainting model, whose input is the latents, then a mask `[1, 1, height, width]`, then the
    /// latents of the picture without the masked part.
    fn is_inpainting(&self) -> bool;

    /// Whether the denoiser takes the guidance scale as an input, or is distilled. Classifier-free guidance then has the scale
    /// `true_cfg_scale`.
    fn embeds_guidance(&self) -> bool;

    /// All steps of one picture's latents, as weights computed in advance. Refuses schedulers, prediction types and
    /// configurations that the family does not support.
    fn trajectory(&self, sampling: &Sampling) -> std::result::Result<Trajectory, ScheduleError>;

    /// Makes the model compute with these LoRAs and no others; without LoRAs after an error. A LoRA may change the layers
    /// of text encoders and denoiser.
    fn set_loras(&mut self, loras: &[Lora]) -> std::result::Result<(), LoraError>;

    /// The memory that these LoRAs take together.
    fn lora_memory(&self, _: &[Lora]) -> LoraMemory {
        LoraMemory::default()
    }

    /// Encodes the prompts of a picture, with the current LoRAs. A sentence for each truncated prompt is added to `warnings`.
    fn conditioning(
        &mut self,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> std::result::Result<Conditioning, RenderError>;

    /// Encodes the prompts of a picture that comes later, with the current LoRAs, if that saves memory or time when it starts.
    /// Returns whether there is room for more.
    fn encode_ahead(&mut self, _: &Settings) -> std::result::Result<bool, RenderError> {
        Ok(false)
    }

    /// Why a ControlNet cannot be used with this model; `None` if it can.
    fn control_mismatch(&self, _: &ControlNet) -> Option<String> {
        Some("models of this kind take none".to_owned())
    }

    /// Why an IP-Adapter cannot be used with this model; `None` if it can.
    fn ip_adapter_mismatch(&self, _: &IpAdapter) -> Option<String> {
        Some("models of this kind take none".to_owned())
    }

    /// The number of branches of its UNet, see [`Depth`]; 0 if its denoiser is none.
    fn branches(&self) -> usize {
        0
    }

    /// The bytes of weights that the first call of the denoiser loads.
    fn size_to_load(&self) -> u64 {
        0
    }

    /// The denoiser's prediction for each row: noise or velocity, as the trajectory expects. Rows do not depend on each
    /// other; on the CPU, not by a bit.
    fn predict(&self, rows: &Rows) -> Result<Predicted>;

    /// The distribution of the latents of pixels `[1, 3, height, width]` in -1 to 1.
    fn encode(&self, pixels: &Tensor) -> Result<Posterior>;

    /// Pixels `[rows, 3, height, width]`, about -1 to 1, not clamped, of latents `[rows, latent_channels, height /
    /// factor, width / factor]`. Rows do not depend on each other; on the CPU, not by a bit.
    fn decode(&self, latents: &Tensor) -> Result<Tensor>;

    /// Replaces the autoencoder by that of `source`, which must have the same number of latent channels.
    fn replace_vae(
        &mut self,
        source: &ModelSource,
        device: &Device,
        dtype: DType,
    ) -> std::result::Result<(), ModelError>;
}

/// The predictions of a call of the denoiser.
pub(crate) struct Predicted {
    /// `[rows, latent_channels, height, width]`.
    pub rows: Tensor,
    /// The features that [`Depth::Keep`] asks for, `[rows, channels, height, width]`.
    pub features: Option<Tensor>,
}

/// The rows of one call of the denoiser: pictures of one size, each row with its own timestep and prompt.
pub(crate) struct Rows<'a> {
    /// `[rows, channels, height, width]`, f32: the latents, with the additional input of [`Family::is_inpainting`].
    pub latents: Tensor,
    /// One per row.
    pub timesteps: Vec<f32>,
    /// One per row, for denoisers with [`Family::embeds_guidance`].
    pub guidance_scales: Vec<f64>,
    /// One per row; their sequences have the same length, unless the family computes rows of different lengths.
    pub prompts: Vec<&'a EncodedPrompt>,
    /// How much of the denoiser is computed.
    pub depth: Depth<'a>,
    /// Height and width of the pictures, in pixels.
    pub size: (u32, u32),
    /// The ControlNet that all rows follow; `None` for none of them.
    pub control: Option<ControlRows<'a>>,
    /// The pictures that all rows attend to through one IP-Adapter; `None` for none of them.
    pub image: Option<ImagePrompt<'a>>,
}

/// What a ControlNet needs besides the rows of a call.
pub(crate) struct ControlRows<'a> {
    /// The network, for which [`Family::control_mismatch`] is `None`.
    pub net: &'a ControlNet,
    /// The embedded pictures of the rows, see [`ControlNet::embed`].
    pub hints: Tensor,
    /// One factor per row.
    pub scales: Vec<f64>,
}

impl Rows<'_> {
    /// The prompts' embeddings of all rows, `[rows, tokens, width]`.
    pub fn sequences(&self) -> Result<Tensor> {
        let sequences: Vec<&Tensor> = self.prompts.iter().map(|prompt| &prompt.sequence).collect();
        Tensor::cat(&sequences, 0)
    }

    /// Computes rows whose prompts have different lengths in separate calls, so that no row is filled up for another: `length`
    /// is the length that counts for a prompt's tokens. `call` gets all of the calls, so that they can share what is loaded for them.
    /// The results are `[rows, ...]`, in the order of the rows.
    pub fn by_length(
        &self,
        length: impl Fn(usize) -> usize,
        call: impl FnOnce(&[Rows]) -> Result<Vec<Tensor>>,
    ) -> Result<Tensor> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, prompt) in self.prompts.iter().enumerate() {
            groups.entry(length(prompt.sequence.dim(1)?)).or_default().push(row);
        }
        let rows = |group: &Vec<usize>| {
            let latents =
                group.iter().map(|&row| self.latents.narrow(0, row, 1)).collect::<Result<Vec<_>>>()?;
            Ok(Rows {
                latents: Tensor::cat(&latents, 0)?,
                timesteps: group.iter().map(|&row| self.timesteps[row]).collect(),
                guidance_scales: group.iter().map(|&row| self.guidance_scales[row]).collect(),
                prompts: group.iter().map(|&row| self.prompts[row]).collect(),
                size: self.size,
                // Families of transformers take neither ControlNets nor IP-Adapters, and have no branches.
                depth: Depth::Whole,
                control: None,
                image: None,
            })
        };
        let results = call(&groups.values().map(rows).collect::<Result<Vec<_>>>()?)?;
        let mut predicted: Vec<Option<Tensor>> = vec![None; self.prompts.len()];
        for (group, result) in groups.values().zip(results) {
            for (at, &row) in group.iter().enumerate() {
                predicted[row] = Some(result.narrow(0, at, 1)?);
            }
        }
        Tensor::cat(&predicted.into_iter().flatten().collect::<Vec<_>>(), 0)
    }
}
