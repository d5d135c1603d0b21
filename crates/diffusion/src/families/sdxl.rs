//! Stable Diffusion XL: two CLIP text encoders with concatenated embeddings, the second one's pooled embedding and the
//! picture's sizes added to the time embedding, a VAE that overflows in f16.
//!
//! Source: diffusers' `StableDiffusionXLPipeline`. Not here: the refiner.

use crate::error::ModelError;
use crate::families::adapters::Adapters;
use crate::families::detect::Kind;
use crate::families::error::RenderError;
use crate::families::family::{Family, Predicted, Rows};
use crate::families::files::{INDEX, TEXT, TEXT_2};
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
use crate::weights::config::ConfigFile;
use crate::weights::load_options::LoadOptions;
use crate::weights::lora::targets::Layers;
use crate::weights::lora::{LoraError, LoraMemory};
use crate::weights::source::ModelSource;
use crate::weights::textual_inversion::InversionError;
use candle_core::{DType, Device, Tensor};
use maquette_core::{Dialect, Embedding, Lora, Settings};

/// A loaded model of Stable Diffusion XL.
pub struct Sdxl {
    /// Prompts to token ids, for each text encoder.
    pub tokenizers: [Tokenizer; 2],
    /// Token ids to embeddings; the second one also gives a pooled embedding.
    pub text_encoders: [TextEncoder; 2],
    /// Whether an empty negative prompt is encoded as zeros.
    pub zeros_for_empty_prompt: bool,
    /// Latents, timestep, embeddings and sizes to predicted noise.
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

impl Sdxl {
    /// Loads every part of a model onto a device, its weights in `dtype` (f32, f16 or bf16).
    pub fn load(source: &ModelSource, device: &Device, dtype: DType) -> Result<Sdxl, ModelError> {
        Sdxl::load_with(source, &LoadOptions::new(device, dtype))
    }

    /// The same with other kernels, with variables for training, or offloaded.
    pub fn load_with(source: &ModelSource, options: &LoadOptions) -> Result<Sdxl, ModelError> {
        let scheduler_config = scheduler::read(source, Kind::Sdxl)?.config;
        let loader = Loader::new(source, &options.staying_if_offloaded());
        let (tokenizer, text_encoder) =
            loader.text(&TEXT, |config, weights| TextEncoder::load_for_xl(config, weights, false))?;
        let (tokenizer_2, text_encoder_2) =
            loader.text(&TEXT_2, |config, weights| TextEncoder::load_for_xl(config, weights, true))?;
        let zeros_for_empty_prompt = match source.has(INDEX) {
            true => ConfigFile::open(source, INDEX)?.flag("force_zeros_for_empty_prompt", true)?,
            false => true,
        };
        let vae = parts::load_vae_in_range(source, options)?;
        let (unet, config) = loader.unet()?;
        let text_width = text_encoder.width() + text_encoder_2.width();
        if unet.text_width != text_width {
            let supported = format!("{text_width}, the sum of the text encoders' hidden_size");
            return Err(config.refuse("cross_attention_dim", supported));
        }
        check_pooled(&unet, &config, &text_encoder_2)?;
        parts::check_channels(&config, vae.latent_channels)?;
        Ok(Sdxl {
            tokenizers: [tokenizer, tokenizer_2],
            text_encoders: [text_encoder, text_encoder_2],
            zeros_for_empty_prompt,
            unet,
            vae,
            scheduler_config,
            offloaded: loader.in_file(),
            adapters: Adapters::new(loader.finish()),
            prompts: PromptCache::new(),
        })
    }

    /// Makes the text encoders and the UNet compute with these LoRAs and no others; an empty list restores the model.
    ///
    /// The model is not reloaded. After an error it computes without LoRAs.
    pub fn set_loras(&mut self, loras: &[Lora]) -> Result<(), LoraError> {
        self.adapters.set_loras(loras)
    }

    /// The layers that LoRA can change; see [`StableDiffusion::layers`](crate::StableDiffusion::layers).
    pub fn layers(&self) -> &Layers {
        self.adapters.layers()
    }

    /// The words of textual inversions, for the tokenizers, with their vectors, for the text encoders.
    pub fn inversions(
        &mut self,
        embeddings: &[Embedding],
        dialect: Dialect,
    ) -> Result<Inversions, InversionError> {
        self.adapters.inversions(embeddings, dialect, &self.tokenizers[0], &self.text_encoders.each_ref())
    }
}

/// Refuses a UNet whose pooled input does not match the second text encoder's pooled embedding.
fn check_pooled(unet: &Unet, config: &ConfigFile, text_encoder_2: &TextEncoder) -> Result<(), ModelError> {
    match (unet.pooled_width(), text_encoder_2.pooled_width()) {
        (taken, given) if taken == given => Ok(()),
        (None, _) => Err(config.refuse("addition_embed_type", "\"text_time\", as there is a text_encoder_2")),
        (Some(_), given) => {
            let (given, sizes) = (given.unwrap_or_default(), "six times addition_time_embed_dim");
            let supported = format!("{given}, text_encoder_2's projection_dim, and {sizes}");
            Err(config.refuse("projection_class_embeddings_input_dim", supported))
        }
    }
}

/// Both text encoders, for one picture's prompts.
struct TwoEncoders<'a> {
    first: ClipText<'a>,
    second: ClipText<'a>,
    zeros_for_empty_prompt: bool,
}

impl PromptEncoder for TwoEncoders<'_> {
    fn prompt(
        &self,
        prompt: &str,
        clip_skip: usize,
        warn: &mut dyn FnMut(String),
    ) -> Result<EncodedPrompt, TextError> {
        // Both tokenizers have CLIP's vocabulary, so they truncate at the same place.
        self.first.cut(prompt)?.iter().for_each(|cut| warn(cut.warning()));
        let first = self.first.whole(prompt, clip_skip)?;
        Ok(first.concat(self.second.whole(prompt, clip_skip)?)?)
    }

    fn weighted(&self, texts: &[String], clip_skip: usize) -> Result<Vec<EncodedPrompt>, TextError> {
        let first = self.first.sequences(texts, clip_skip)?;
        let second = self.second.sequences(texts, clip_skip)?;
        let both = first.into_iter().zip(second).zip(texts).map(|((first, second), text)| {
            let first = EncodedPrompt { sequence: first, pooled: None };
            // The pooled embedding is that of the first chunk, without weights.
            let second = EncodedPrompt { sequence: second, pooled: self.second.pooled(text)? };
            Ok(first.concat(second)?)
        });
        both.collect()
    }

    fn zeros_for_empty_prompt(&self) -> bool {
        self.zeros_for_empty_prompt
    }
}

impl Family for Sdxl {
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
        let clip = |number: usize| ClipText {
            tokenizer: &self.tokenizers[number],
            text_encoder: &self.text_encoders[number],
            inversions: &inversions,
            number,
        };
        let zeros_for_empty_prompt = self.zeros_for_empty_prompt;
        let text = TwoEncoders { first: clip(0), second: clip(1), zeros_for_empty_prompt };
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
        let pooled: Vec<&Tensor> = rows.prompts.iter().filter_map(|prompt| prompt.pooled.as_ref()).collect();
        let pooled = Tensor::cat(&pooled, 0)?;
        // The original is assumed to have the target's size and no crop, as in diffusers, regardless of the reference
        // picture.
        let (height, width) = (rows.size.0 as f32, rows.size.1 as f32);
        let time_ids = vec![[height, width, 0.0, 0.0, height, width]; rows.timesteps.len()];
        let conditions = Conditions { added: Some((&pooled, &time_ids)), ..Conditions::default() };
        parts::predict(&self.unet, self.vae.latent_channels, rows, conditions)
    }

    fn encode(&self, pixels: &Tensor) -> candle_core::Result<Posterior> {
        parts::encode(&self.vae, pixels)
    }

    fn decode(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        parts::decode(&self.vae, latents)
    }

    fn replace_vae(&mut self, source: &ModelSource, device: &Device, dtype: DType) -> Result<(), ModelError> {
        let vae = parts::load_vae_in_range(source, &LoadOptions::new(device, dtype))?;
        parts::replace_vae(&mut self.vae, vae, source)
    }
}
