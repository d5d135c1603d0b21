//! Z-Image and Z-Image-Turbo: Qwen3 as the text encoder, a transformer over patches and tokens, an autoencoder with 16
//! channels.
//!
//! Source: diffusers' `ZImagePipeline` and its image-to-image and inpainting variants. Its `guidance_scale` is one less than
//! the scale here, which is the common one: `negative + scale * (positive - negative)`. Not here: Z-Image-Omni.

use crate::error::ModelError;
use crate::families::adapters::Adapters;
use crate::families::detect::{Kind, TRANSFORMER_CONFIG};
use crate::families::error::RenderError;
use crate::families::family::{Family, Rows};
use crate::families::files::{TEXT, TRANSFORMER_WEIGHTS, VAE_CONFIG, VAE_WEIGHTS};
use crate::families::note::ModelNote;
use crate::families::parts::{self, Loader};
use crate::families::scheduler;
use crate::image::posterior::Posterior;
use crate::models::vae::{self, Vae};
use crate::models::z_image::{Config, MULTIPLE, PATCH, ZImageTransformer};
use crate::schedulers::{
    FlowConfig, FlowRule, Mu, Sampling, ScheduleError, SigmaRange, Trajectory, flow_trajectory,
};
use crate::text::chat_tokenizer::ChatTokenizer;
use crate::text::conditioning::Conditioning;
use crate::text::dialect::without_weights;
use crate::text::encode::{Adapted, PromptCache, PromptEncoder};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::error::TextError;
use crate::text::qwen3::{self, Qwen3};
use crate::weights::config::ConfigFile;
use crate::weights::dtypes::check_dtypes;
use crate::weights::load_options::LoadOptions;
use crate::weights::lora::LoraError;
use crate::weights::source::ModelSource;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Digest, Lora, ModelCard, Settings};

type Loaded<T> = std::result::Result<T, ModelError>;

/// The most tokens of a prompt (`max_sequence_length` of the pipeline).
pub(super) const TOKENS: usize = 512;

/// How the pipeline calls its scheduler.
const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Line };

/// A loaded model of Z-Image.
pub(crate) struct ZImage {
    text: ChatText,
    transformer: ZImageTransformer,
    vae: Vae,
    scheduler_config: FlowConfig,
    adapters: Adapters,
    prompts: PromptCache,
}

/// The text encoder with its tokenizer.
struct ChatText {
    tokenizer: ChatTokenizer,
    encoder: Qwen3,
    /// The state that is used: that before the last layer.
    state: usize,
}

impl ZImage {
    /// Loads every part of a model onto a device, its weights in `dtype` (f32, f16 or bf16).
    pub fn load(source: &ModelSource, device: &Device, dtype: DType) -> Loaded<ZImage> {
        ZImage::load_with(source, &LoadOptions::new(device, dtype))
    }

    /// The same with other options.
    pub(super) fn load_with(source: &ModelSource, options: &LoadOptions) -> Loaded<ZImage> {
        let scheduler_config = scheduler::read_flow(source)?.config;
        let loader = Loader::new(source, options);
        let text_config = ConfigFile::open(source, TEXT.config)?;
        let state = qwen3::layers(&text_config)?.saturating_sub(1);
        let spare = |key: &str| qwen3::is_spare(key, state);
        let encoder = loader.part(TEXT.name, TEXT.weights, &text_config, spare, |weights| {
            Qwen3::load(&text_config, weights, state)
        })?;
        let words = qwen3::vocabulary_size(&text_config)?;
        let tokenizer = ChatTokenizer::load(source, TEXT.tokenizer, words, TOKENS)?;
        let vae = parts::load_vae_in_range(source, options)?;
        let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
        check(&file, &text_config, vae.latent_channels)?;
        let transformer = loader.part(
            "transformer",
            TRANSFORMER_WEIGHTS,
            &file,
            |_| false,
            |weights| ZImageTransformer::load(&file, weights),
        )?;
        Ok(ZImage {
            text: ChatText { tokenizer, encoder, state },
            transformer,
            vae,
            scheduler_config,
            adapters: Adapters::new(loader.finish()),
            prompts: PromptCache::new(),
        })
    }
}

/// Refuses a transformer that does not match the text encoder and the autoencoder.
pub(super) fn check(file: &ConfigFile, text: &ConfigFile, latents: usize) -> Loaded<()> {
    let config = Config::read(file)?;
    if config.channels != latents {
        return Err(file.refuse("in_channels", format!("{latents}, the autoencoder's latent_channels")));
    }
    let width = qwen3::width(text)?;
    if config.text_width != width {
        return Err(file.refuse("cap_feat_dim", format!("{width}, the text encoder's hidden_size")));
    }
    Ok(())
}

/// The size of pictures that the pipeline makes by default.
const SIZE: u32 = 1024;

/// The model's card; see [`crate::families::card`].
pub(super) fn card(source: &ModelSource, fingerprint: impl FnOnce() -> Loaded<Digest>) -> Loaded<ModelCard> {
    let vae = vae::Shape::read(&ConfigFile::open(source, VAE_CONFIG)?)?;
    let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
    check(&file, &ConfigFile::open(source, TEXT.config)?, vae.latent_channels)?;
    let scheduler = scheduler::read_flow(source)?;
    check_dtypes(source, TRANSFORMER_WEIGHTS, |_| false)?;
    check_dtypes(source, VAE_WEIGHTS, |_| false)?;
    check_dtypes(source, TEXT.weights, |_| false)?;
    Ok(scheduler.card(Kind::ZImage, SIZE, (vae.factor * PATCH) as u32, fingerprint()?))
}

/// Notes on every model of the family.
pub(super) fn notes() -> Vec<ModelNote> {
    let text = "`guidance_scale` is 7.5 unless it is set, and 1 means none: Z-Image-Turbo is made for 1, Z-Image for about 5, \
                which are 0 and 4 in diffusers' pipelines";
    vec![ModelNote { text: text.to_owned(), answered_by: Some("guidance_scale") }]
}

/// Whether a model can compute the steps of a picture with these settings, from its configuration alone.
pub(super) fn check_sampling(
    source: &ModelSource,
    settings: &Settings,
) -> std::result::Result<(), RenderError> {
    let config = scheduler::read_flow(source)?.config;
    let factor = vae::Shape::read(&ConfigFile::open(source, VAE_CONFIG)?)?.factor;
    trajectory(&config, &Sampling::from(settings), factor)?;
    Ok(())
}

/// The trajectory of a picture by the model's configuration alone.
pub(super) fn trajectory(
    config: &FlowConfig,
    sampling: &Sampling,
    factor: usize,
) -> std::result::Result<Trajectory, ScheduleError> {
    let edge = factor * PATCH;
    flow_trajectory(config, RULE, sampling, sampling.tokens(edge))
}

impl PromptEncoder for ChatText {
    fn prompt(
        &self,
        prompt: &str,
        _: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let tokens = self.tokenizer.encode(prompt, "")?;
        if let Some(words) = tokens.cut {
            let length = self.tokenizer.length();
            warn(format!("is longer than {length} tokens; this part has no effect: `{words}`"));
        }
        let mut states = self.encoder.states(&tokens.ids, &[self.state])?;
        Ok(EncodedPrompt { sequence: states.remove(0), pooled: None })
    }

    /// Weights have no effect.
    fn weighted(&self, texts: &[String], _: usize) -> std::result::Result<Vec<EncodedPrompt>, TextError> {
        texts.iter().map(|text| self.prompt(&without_weights(text), 0, &mut |_| ())).collect()
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl Family for ZImage {
    fn factor(&self) -> usize {
        self.vae.factor()
    }

    fn multiple_of(&self) -> usize {
        self.vae.factor() * PATCH
    }

    fn latent_channels(&self) -> usize {
        self.vae.latent_channels
    }

    fn is_inpainting(&self) -> bool {
        false
    }

    fn embeds_guidance(&self) -> bool {
        false
    }

    fn trajectory(&self, sampling: &Sampling) -> std::result::Result<Trajectory, ScheduleError> {
        trajectory(&self.scheduler_config, sampling, self.vae.factor())
    }

    fn set_loras(&mut self, loras: &[Lora]) -> std::result::Result<(), LoraError> {
        self.adapters.set_loras(loras)
    }

    fn conditioning(
        &mut self,
        settings: &Settings,
        warnings: &mut Vec<String>,
    ) -> std::result::Result<Conditioning, RenderError> {
        let adapted = Adapted { loras: self.adapters.loras_of_text(), inversions: Vec::new() };
        Ok(self.prompts.conditioning(&self.text, &adapted, settings, warnings)?)
    }

    /// Captions of different lengths are computed in separate calls, so that no row is filled up for another.
    fn predict(&self, rows: &Rows) -> Result<Tensor> {
        rows.by_length(
            |tokens| tokens.next_multiple_of(MULTIPLE),
            |group| {
                let times: Vec<f32> = group.timesteps.iter().map(|time| (1000.0 - time) / 1000.0).collect();
                let captions: Vec<&Tensor> = group.prompts.iter().map(|prompt| &prompt.sequence).collect();
                // The model predicts the way to the picture, and the steps are those of the way to the noise.
                self.transformer.forward(&group.latents, &times, &captions)?.neg()
            },
        )
    }

    fn encode(&self, pixels: &Tensor) -> Result<Posterior> {
        parts::encode(&self.vae, pixels)
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        parts::decode(&self.vae, latents)
    }

    fn replace_vae(&mut self, source: &ModelSource, device: &Device, dtype: DType) -> Loaded<()> {
        let vae = parts::load_vae_in_range(source, &LoadOptions::new(device, dtype))?;
        parts::replace_vae(&mut self.vae, vae, source)
    }
}

#[cfg(test)]
mod tests;
