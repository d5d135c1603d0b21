//! Stable Diffusion 3 and 3.5: two CLIP text encoders and T5, a transformer, an autoencoder with 16 channels.
//!
//! Source: diffusers' `StableDiffusion3Pipeline` and its image-to-image and inpainting variants. T5 may be left out, as there:
//! its embeddings are then zeros. Not here: skip-layer guidance, textual inversions.

use crate::error::ModelError;
use crate::families::adapters::Adapters;
use crate::families::detect::{Kind, TRANSFORMER_CONFIG};
use crate::families::error::RenderError;
use crate::families::family::{Family, Rows};
use crate::families::files::{TEXT, TEXT_2, TEXT_3, TRANSFORMER_WEIGHTS, VAE_CONFIG, VAE_WEIGHTS};
use crate::families::parts::{self, Loader};
use crate::families::scheduler;
use crate::image::posterior::Posterior;
use crate::models::mmdit::{Config, Mmdit};
use crate::models::vae::{self, Vae};
use crate::schedulers::{
    FlowConfig, FlowRule, Mu, Sampling, ScheduleError, SigmaRange, Trajectory, flow_trajectory,
};
use crate::text::conditioning::Conditioning;
use crate::text::dialect::without_weights;
use crate::text::encode::{Adapted, ClipText, PromptCache, PromptEncoder};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::text::encoder::TextEncoder;
use crate::text::error::TextError;
use crate::text::inversions::Inversions;
use crate::text::sentence_tokenizer::SentenceTokenizer;
use crate::text::t5::{self, T5};
use crate::text::tokenizer::Tokenizer;
use crate::weights::config::ConfigFile;
use crate::weights::dtypes::check_dtypes;
use crate::weights::load_options::LoadOptions;
use crate::weights::lora::LoraError;
use crate::weights::single_file::is_spare_in_text_encoder;
use crate::weights::source::ModelSource;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Digest, Lora, ModelCard, Settings};

type Loaded<T> = std::result::Result<T, ModelError>;

/// T5's tokens (`max_sequence_length` of the pipeline).
const TOKENS: usize = 256;

/// How the pipeline calls its scheduler.
const RULE: FlowRule = FlowRule { range: SigmaRange::OfTraining, mu: Mu::Line };

/// A loaded model of Stable Diffusion 3 or 3.5.
pub(crate) struct StableDiffusion3 {
    text: ThreeEncoders,
    transformer: Mmdit,
    patch: usize,
    vae: Vae,
    scheduler_config: FlowConfig,
    adapters: Adapters,
    prompts: PromptCache,
}

/// The text encoders with their tokenizers.
struct ThreeEncoders {
    clip: [(Tokenizer, TextEncoder); 2],
    t5: Option<(SentenceTokenizer, T5)>,
    /// None, for CLIP's tokenizers.
    inversions: Inversions,
    /// The width of T5's states, to which CLIP's are extended with zeros.
    width: usize,
    device: Device,
}

impl StableDiffusion3 {
    /// Loads every part of a model onto a device, its weights in `dtype` (f32, f16 or bf16).
    pub fn load(source: &ModelSource, device: &Device, dtype: DType) -> Loaded<StableDiffusion3> {
        StableDiffusion3::load_with(source, &LoadOptions::new(device, dtype))
    }

    /// The same with other options.
    pub(super) fn load_with(source: &ModelSource, options: &LoadOptions) -> Loaded<StableDiffusion3> {
        let scheduler_config = scheduler::read_flow(source)?.config;
        let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
        let config = Config::read(&file)?;
        let loader = Loader::new(source, options);
        let clip = [&TEXT, &TEXT_2]
            .map(|part| loader.text(part, |file, weights| TextEncoder::load_for_xl(file, weights, true)));
        let [first, second] = clip;
        // T5 overflows in f16.
        let of_t5 = options.with_dtype(if options.dtype == DType::F16 { DType::BF16 } else { options.dtype });
        let t5_loader = Loader::new(source, &of_t5);
        let t5 = match source.has(TEXT_3.config) {
            true => Some(load_t5(source, &t5_loader, config.text_width, &file)?),
            false => None,
        };
        let clip = [first?, second?];
        check_pooled(
            &file,
            &config,
            clip.each_ref().map(|(_, encoder)| encoder.pooled_width().unwrap_or(0)),
        )?;
        let vae = parts::load_vae_in_range(source, options)?;
        check_channels(&file, &config, vae.latent_channels)?;
        let transformer = loader.part(
            "transformer",
            TRANSFORMER_WEIGHTS,
            &file,
            |_| false,
            |weights| Mmdit::load(&file, weights),
        )?;
        let inversions = Inversions::default();
        Ok(StableDiffusion3 {
            text: ThreeEncoders {
                clip,
                t5,
                inversions,
                width: config.text_width,
                device: options.device.clone(),
            },
            transformer,
            patch: config.patch,
            vae,
            scheduler_config,
            adapters: Adapters::new(loader.finish()),
            prompts: PromptCache::new(),
        })
    }
}

fn load_t5(
    source: &ModelSource,
    loader: &Loader,
    width: usize,
    transformer: &ConfigFile,
) -> Loaded<(SentenceTokenizer, T5)> {
    let config = ConfigFile::open(source, TEXT_3.config)?;
    if t5::width(&config)? != width {
        let supported = format!("{}, text_encoder_3's d_model", t5::width(&config)?);
        return Err(transformer.refuse("joint_attention_dim", supported));
    }
    let t5 = loader
        .part(TEXT_3.name, TEXT_3.weights, &config, t5::is_spare, |weights| T5::load(&config, weights))?;
    let words = t5::vocabulary_size(&config)?;
    Ok((SentenceTokenizer::load(source, TEXT_3.tokenizer, words, TOKENS)?, t5))
}

fn check_pooled(file: &ConfigFile, config: &Config, pooled: [usize; 2]) -> Loaded<()> {
    let sum: usize = pooled.iter().sum();
    if config.pooled_width == sum {
        return Ok(());
    }
    let supported = format!("{sum}, the sum of the text encoders' projection_dim");
    Err(file.refuse("pooled_projection_dim", supported))
}

fn check_channels(file: &ConfigFile, config: &Config, latents: usize) -> Loaded<()> {
    if config.channels == latents {
        return Ok(());
    }
    Err(file.refuse("in_channels", format!("{latents}, the autoencoder's latent_channels")))
}

/// The model's card; see [`crate::families::card`].
pub(super) fn card(source: &ModelSource, fingerprint: impl FnOnce() -> Loaded<Digest>) -> Loaded<ModelCard> {
    let vae = vae::Shape::read(&ConfigFile::open(source, VAE_CONFIG)?)?;
    let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
    let config = Config::read(&file)?;
    check_channels(&file, &config, vae.latent_channels)?;
    let scheduler = scheduler::read_flow(source)?;
    check_dtypes(source, TRANSFORMER_WEIGHTS, |_| false)?;
    check_dtypes(source, VAE_WEIGHTS, |_| false)?;
    for part in [&TEXT, &TEXT_2] {
        check_dtypes(source, part.weights, is_spare_in_text_encoder)?;
    }
    if source.has(TEXT_3.config) {
        check_dtypes(source, TEXT_3.weights, t5::is_spare)?;
    }
    let size = (config.sample_size * vae.factor) as u32;
    Ok(scheduler.card(Kind::StableDiffusion3, size, (vae.factor * config.patch) as u32, fingerprint()?))
}

/// Whether a model can compute the steps of a picture with these settings, from its configuration alone.
pub(super) fn check_sampling(
    source: &ModelSource,
    settings: &Settings,
) -> std::result::Result<(), RenderError> {
    let config = scheduler::read_flow(source)?.config;
    let patch = Config::read(&ConfigFile::open(source, TRANSFORMER_CONFIG)?)?.patch;
    let factor = vae::Shape::read(&ConfigFile::open(source, VAE_CONFIG)?)?.factor;
    trajectory(&config, &Sampling::from(settings), factor * patch)?;
    Ok(())
}

fn trajectory(
    config: &FlowConfig,
    sampling: &Sampling,
    edge: usize,
) -> std::result::Result<Trajectory, ScheduleError> {
    flow_trajectory(config, RULE, sampling, sampling.tokens(edge))
}

impl ThreeEncoders {
    fn clip_text(&self, number: usize) -> ClipText<'_> {
        let (tokenizer, text_encoder) = &self.clip[number];
        ClipText { tokenizer, text_encoder, inversions: &self.inversions, number }
    }

    /// CLIP's states with those of T5 for a text behind them; the pooled embeddings of both.
    fn joined(
        &self,
        first: EncodedPrompt,
        second: EncodedPrompt,
        text: &str,
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let clip = Tensor::cat(&[first.sequence, second.sequence], 2)?;
        let dtype = clip.dtype();
        let missing = self.width.saturating_sub(clip.dim(2)?);
        let clip = clip.pad_with_zeros(2, 0, missing)?;
        let t5 = match &self.t5 {
            Some((tokenizer, t5)) => t5.encode(&tokenizer.encode(text)?)?.to_dtype(dtype)?,
            None => Tensor::zeros((1, TOKENS, self.width), dtype, &self.device)?,
        };
        let pooled: Vec<Tensor> = first.pooled.into_iter().chain(second.pooled).collect();
        let sequence = Tensor::cat(&[clip, t5], 1)?;
        Ok(EncodedPrompt { sequence, pooled: Some(Tensor::cat(&pooled, 1)?) })
    }
}

impl PromptEncoder for ThreeEncoders {
    fn prompt(
        &self,
        prompt: &str,
        clip_skip: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let first = self.clip_text(0).whole(prompt, clip_skip, warn)?;
        // Both tokenizers have CLIP's vocabulary, so they truncate at the same place.
        let second = self.clip_text(1).whole(prompt, clip_skip, &mut |_| ())?;
        self.joined(first, second, prompt)
    }

    /// Weights have an effect on CLIP's states, not on T5's.
    fn weighted(
        &self,
        texts: &[String],
        clip_skip: usize,
    ) -> std::result::Result<Vec<EncodedPrompt>, TextError> {
        let first = self.clip_text(0).sequences(texts, clip_skip)?;
        let second = self.clip_text(1).sequences(texts, clip_skip)?;
        let all = first.into_iter().zip(second).zip(texts).map(|((first, second), text)| {
            let part = |sequence, number| {
                let pooled = self.clip_text(number).pooled(text)?;
                Ok::<_, TextError>(EncodedPrompt { sequence, pooled })
            };
            self.joined(part(first, 0)?, part(second, 1)?, &without_weights(text))
        });
        all.collect()
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl Family for StableDiffusion3 {
    fn factor(&self) -> usize {
        self.vae.factor()
    }

    fn multiple_of(&self) -> usize {
        self.vae.factor() * self.patch
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
        trajectory(&self.scheduler_config, sampling, self.multiple_of())
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

    /// Prompts of different lengths, which A1111's dialect has, are computed in separate calls.
    fn predict(&self, rows: &Rows) -> Result<Tensor> {
        rows.by_length(
            |tokens| tokens,
            |group| {
                let text = group.sequences()?;
                let pooled: Vec<&Tensor> =
                    group.prompts.iter().filter_map(|prompt| prompt.pooled.as_ref()).collect();
                let pooled = Tensor::cat(&pooled, 0)?.unsqueeze(1)?;
                self.transformer.forward(&group.latents, &group.timesteps, &text, &pooled)
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
