//! Stable Diffusion 1 and 2: one CLIP text encoder, a UNet that attends to its embeddings, a VAE.
//!
//! Source: diffusers' `StableDiffusionPipeline` and its image-to-image and inpainting variants.

use crate::error::ModelError;
use crate::families::adapters::Adapters;
use crate::families::detect::Kind;
use crate::families::error::RenderError;
use crate::families::family::{Family, Predicted, Rows};
use crate::families::files::TEXT;
use crate::families::parts::{self, Loader, PartWeights};
use crate::families::scheduler;
use crate::image::posterior::Posterior;
use crate::models::unet::controlnet::ControlNet;
use crate::models::unet::ip_adapter::IpAdapter;
use crate::models::unet::{Conditions, Unet};
use crate::models::vae::Vae;
use crate::schedulers::{Sampling, ScheduleError, SchedulerConfig, Trajectory, trajectory};
use crate::text::conditioning::Conditioning;
use crate::text::encode::{ClipText, PromptCache, PromptEncoder};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::encoder::TextEncoder;
use crate::text::error::TextError;
use crate::text::inversions::Inversions;
use crate::text::tokenizer::Tokenizer;
use crate::weights::load_options::LoadOptions;
use crate::weights::lora::targets::Layers;
use crate::weights::lora::{LoraError, LoraMemory};
use crate::weights::source::ModelSource;
use crate::weights::textual_inversion::InversionError;
use candle_core::{DType, Device, Tensor};
use maquette_core::{Dialect, Embedding, Lora, Settings};

/// A loaded model of Stable Diffusion 1 or 2.
pub struct StableDiffusion {
    /// Prompts to token ids.
    pub tokenizer: Tokenizer,
    /// Token ids to embeddings.
    pub text_encoder: TextEncoder,
    /// Latents, timestep and embeddings to predicted noise.
    pub unet: Unet,
    /// Pixels to latents and back.
    pub vae: Vae,
    /// The schedule it was trained with, and its default sampling.
    pub scheduler_config: SchedulerConfig,
    /// Those of linear layers that are offloaded.
    offloaded: PartWeights,
    adapters: Adapters,
    prompts: PromptCache,
}

impl StableDiffusion {
    /// Loads every part of a model onto a device, its weights in `dtype` (f32, f16 or bf16).
    pub fn load(source: &ModelSource, device: &Device, dtype: DType) -> Result<StableDiffusion, ModelError> {
        StableDiffusion::load_with(source, &LoadOptions::new(device, dtype))
    }

    /// The same with other kernels, with variables for training, or offloaded.
    pub fn load_with(source: &ModelSource, options: &LoadOptions) -> Result<StableDiffusion, ModelError> {
        let scheduler_config = scheduler::read(source, Kind::StableDiffusion)?.config;
        let loader = Loader::new(source, &options.staying_if_offloaded());
        let (tokenizer, text_encoder) = loader.text(&TEXT, TextEncoder::load)?;
        let vae = parts::load_vae(source, options, |_| Ok(options.dtype))?;
        let (unet, config) = loader.unet()?;
        if unet.text_width != text_encoder.width() {
            let supported = format!("{}, the text encoder's hidden_size", text_encoder.width());
            return Err(config.refuse("cross_attention_dim", supported));
        }
        if unet.pooled_width().is_some() {
            return Err(config.refuse("addition_embed_type", "absent, as there is no text_encoder_2"));
        }
        parts::check_channels(&config, vae.latent_channels)?;
        Ok(StableDiffusion {
            tokenizer,
            text_encoder,
            unet,
            vae,
            scheduler_config,
            offloaded: loader.in_file(),
            adapters: Adapters::new(loader.finish()),
            prompts: PromptCache::new(),
        })
    }

    /// Makes the text encoder and the UNet compute with these LoRAs and no others; an empty list restores the model.
    ///
    /// The model is not reloaded. After an error it computes without LoRAs.
    pub fn set_loras(&mut self, loras: &[Lora]) -> Result<(), LoraError> {
        self.adapters.set_loras(loras)
    }

    /// The layers that LoRA can change. To train, set branches whose tensors are variables; do not call
    /// [`StableDiffusion::set_loras`] then, as it replaces the branches.
    pub fn layers(&self) -> &Layers {
        self.adapters.layers()
    }

    /// The words of textual inversions, for the tokenizer, with their vectors, for the text encoder.
    pub fn inversions(
        &mut self,
        embeddings: &[Embedding],
        dialect: Dialect,
    ) -> Result<Inversions, InversionError> {
        self.adapters.inversions(embeddings, dialect, &self.tokenizer, &[&self.text_encoder])
    }
}

impl PromptEncoder for ClipText<'_> {
    fn prompt(
        &self,
        prompt: &str,
        clip_skip: usize,
        warn: &mut dyn FnMut(String),
    ) -> Result<EncodedPrompt, TextError> {
        self.cut(prompt)?.iter().for_each(|cut| warn(cut.warning()));
        self.whole(prompt, clip_skip)
    }

    fn weighted(&self, texts: &[String], clip_skip: usize) -> Result<Vec<EncodedPrompt>, TextError> {
        let alone = |sequence| EncodedPrompt { sequence, pooled: None };
        Ok(self.sequences(texts, clip_skip)?.into_iter().map(alone).collect())
    }
}

impl Family for StableDiffusion {
    fn factor(&self) -> usize {
        self.vae.factor()
    }

    fn latent_channels(&self) -> usize {
        self.vae.latent_channels
    }

    fn is_inpainting(&self) -> bool {
        parts::is_inpainting(&self.unet, &self.vae)
    }

    fn embeds_guidance(&self) -> bool {
        self.unet.embeds_guidance()
    }

    fn trajectory(&self, sampling: &Sampling) -> Result<Trajectory, ScheduleError> {
        trajectory(&self.scheduler_config, sampling)
    }

    fn set_loras(&mut self, loras: &[Lora]) -> Result<(), LoraError> {
        self.adapters.set_loras(loras)
    }

    fn lora_memory(&self, loras: &[Lora]) -> LoraMemory {
        self.adapters.memory(loras)
    }

    fn conditioning(
        &mut self,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> Result<Conditioning, RenderError> {
        self.offloaded.load()?;
        let inversions = self.inversions(&settings.embeddings, settings.dialect)?;
        let text = ClipText {
            tokenizer: &self.tokenizer,
            text_encoder: &self.text_encoder,
            inversions: &inversions,
            number: 0,
        };
        Ok(self.prompts.conditioning(&text, &self.adapters.key(&inversions), settings, warnings)?)
    }

    fn control_mismatch(&self, controlnet: &ControlNet) -> Option<String> {
        parts::control_mismatch(controlnet, &self.unet, &self.vae)
    }

    fn ip_adapter_mismatch(&self, adapter: &IpAdapter) -> Option<String> {
        adapter.mismatch(&self.unet.widths)
    }

    fn branches(&self) -> usize {
        self.unet.branches()
    }

    fn size_to_load(&self) -> u64 {
        self.offloaded.size_to_load()
    }

    fn predict(&self, rows: &Rows) -> candle_core::Result<Predicted> {
        parts::predict(&self.unet, self.vae.latent_channels, rows, Conditions::default())
    }

    fn encode(&self, pixels: &Tensor) -> candle_core::Result<Posterior> {
        parts::encode(&self.vae, pixels)
    }

    fn decode(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        parts::decode(&self.vae, latents)
    }

    fn replace_vae(&mut self, source: &ModelSource, device: &Device, dtype: DType) -> Result<(), ModelError> {
        let vae = parts::load_vae(source, &LoadOptions::new(device, dtype), |_| Ok(dtype))?;
        parts::replace_vae(&mut self.vae, vae, source)
    }
}
