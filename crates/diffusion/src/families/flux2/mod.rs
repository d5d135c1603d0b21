//! FLUX.2 klein: Qwen3 as the text encoder, a transformer, an autoencoder whose latents are normalised and taken in patches.
//!
//! Source: diffusers' `Flux2KleinPipeline` and its inpainting variant. Prompts have 512 tokens with their padding, which the
//! transformer attends to. Not here: FLUX.2-dev, and pictures as references of an edit.

use crate::error::ModelError;
use crate::families::adapters::Adapters;
use crate::families::detect::{Kind, TRANSFORMER_CONFIG};
use crate::families::error::RenderError;
use crate::families::family::{Family, Rows};
use crate::families::files::{INDEX, TEXT, TRANSFORMER_WEIGHTS, VAE_CONFIG, VAE_WEIGHTS};
use crate::families::note::ModelNote;
use crate::families::parts::{self, Loader};
use crate::families::scheduler;
use crate::image::posterior::Posterior;
use crate::models::flux2::{Config, Flux2Transformer};
use crate::models::vae::{self, Vae};
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
use candle_core::{D, DType, Device, Result, Tensor};
use maquette_core::{Digest, Lora, ModelCard, Settings};

type Loaded<T> = std::result::Result<T, ModelError>;

/// The tokens of a prompt with its padding.
const TOKENS: usize = 512;
/// The states of Qwen3 that are used together (`text_encoder_out_layers` of the pipeline).
const STATES: [usize; 3] = [9, 18, 27];
/// What the assistant's turn begins with: its thoughts are empty.
const NO_THOUGHTS: &str = "<think>\n\n</think>\n\n";
/// Latent pixels of the autoencoder in a patch, in each direction.
const PATCH: usize = 2;
/// The size of pictures that the pipeline makes by default.
const SIZE: u32 = 1024;

/// How the pipeline calls its scheduler.
const RULE: FlowRule = FlowRule { range: SigmaRange::ToLastStep, mu: Mu::Empirical };

/// A loaded model of FLUX.2 klein.
pub(crate) struct Flux2 {
    text: ChatText,
    transformer: Flux2Transformer,
    vae: Vae,
    is_distilled: bool,
    scheduler_config: FlowConfig,
    adapters: Adapters,
    prompts: PromptCache,
}

/// The text encoder with its tokenizer.
struct ChatText {
    tokenizer: ChatTokenizer,
    encoder: Qwen3,
}

impl Flux2 {
    /// Loads every part of a model onto a device, its weights in `dtype` (f32, f16 or bf16).
    pub fn load(source: &ModelSource, device: &Device, dtype: DType) -> Loaded<Flux2> {
        Flux2::load_with(source, &LoadOptions::new(device, dtype))
    }

    /// The same with other options.
    pub(super) fn load_with(source: &ModelSource, options: &LoadOptions) -> Loaded<Flux2> {
        let scheduler_config = scheduler::read_flow(source)?.config;
        let loader = Loader::new(source, options);
        let text_config = ConfigFile::open(source, TEXT.config)?;
        let layers = STATES[STATES.len() - 1];
        let spare = |key: &str| qwen3::is_spare(key, layers);
        let encoder = loader.part(TEXT.name, TEXT.weights, &text_config, spare, |weights| {
            Qwen3::load(&text_config, weights, layers)
        })?;
        let words = qwen3::vocabulary_size(&text_config)?;
        let tokenizer = ChatTokenizer::load(source, TEXT.tokenizer, words, TOKENS)?;
        let vae = load_vae(source, options)?;
        let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
        check(&file, &text_config, vae.latent_channels)?;
        let transformer = loader.part(
            "transformer",
            TRANSFORMER_WEIGHTS,
            &file,
            |_| false,
            |weights| Flux2Transformer::load(&file, weights),
        )?;
        Ok(Flux2 {
            text: ChatText { tokenizer, encoder },
            transformer,
            vae,
            is_distilled: is_distilled(source)?,
            scheduler_config,
            adapters: Adapters::new(loader.finish()),
            prompts: PromptCache::new(),
        })
    }
}

/// Whether the model is distilled, so that guidance has no effect.
fn is_distilled(source: &ModelSource) -> Loaded<bool> {
    if source.has(INDEX) { ConfigFile::open(source, INDEX)?.flag("is_distilled", false) } else { Ok(false) }
}

/// Refuses a transformer that does not match the text encoder and the autoencoder.
fn check(file: &ConfigFile, text: &ConfigFile, latents: usize) -> Loaded<()> {
    let config = Config::read(file)?;
    let channels = latents * PATCH * PATCH;
    if config.channels != channels {
        let supported = format!("{channels}, four times the autoencoder's latent_channels");
        return Err(file.refuse("in_channels", supported));
    }
    let width = STATES.len() * qwen3::width(text)?;
    if config.text_width != width {
        let supported = format!("{width}, three times the text encoder's hidden_size");
        return Err(file.refuse("joint_attention_dim", supported));
    }
    Ok(())
}

/// The model's card; see [`crate::families::card`].
pub(super) fn card(source: &ModelSource, fingerprint: impl FnOnce() -> Loaded<Digest>) -> Loaded<ModelCard> {
    let vae = vae::Shape::read(&ConfigFile::open(source, VAE_CONFIG)?)?;
    let file = ConfigFile::open(source, TRANSFORMER_CONFIG)?;
    check(&file, &ConfigFile::open(source, TEXT.config)?, vae.latent_channels)?;
    let scheduler = scheduler::read_flow(source)?;
    for weights in [TRANSFORMER_WEIGHTS, VAE_WEIGHTS, TEXT.weights] {
        check_dtypes(source, weights, |_| false)?;
    }
    let card = scheduler.card(Kind::Flux2, SIZE, (vae.factor * PATCH) as u32, fingerprint()?);
    Ok(ModelCard { guidance_embedding: is_distilled(source)?, ..card })
}

/// Notes on a model.
pub(super) fn notes(source: &ModelSource) -> Loaded<Vec<ModelNote>> {
    let text = "`guidance_scale` has no effect: the model is distilled, as its model_index.json says";
    let note = ModelNote { text: text.to_owned(), answered_by: None };
    Ok(is_distilled(source)?.then_some(note).into_iter().collect())
}

/// Whether a model can compute the steps of a picture with these settings, from its configuration alone.
pub(super) fn check_sampling(
    source: &ModelSource,
    settings: &Settings,
) -> std::result::Result<(), RenderError> {
    let config = scheduler::read_flow(source)?.config;
    let factor = vae::Shape::read(&ConfigFile::open(source, VAE_CONFIG)?)?.factor;
    trajectory(&config, &Sampling::from(settings), factor * PATCH)?;
    Ok(())
}

fn trajectory(
    config: &FlowConfig,
    sampling: &Sampling,
    edge: usize,
) -> std::result::Result<Trajectory, ScheduleError> {
    flow_trajectory(config, RULE, sampling, sampling.tokens(edge))
}

/// The autoencoder, which must be of FLUX.2.
fn load_vae(source: &ModelSource, options: &LoadOptions) -> Loaded<Vae> {
    let vae = parts::load_vae_in_range(source, options)?;
    match vae.statistics {
        Some(_) => Ok(vae),
        None => Err(ConfigFile::open(source, VAE_CONFIG)?.refuse("_class_name", "\"AutoencoderKLFlux2\"")),
    }
}

impl PromptEncoder for ChatText {
    fn prompt(
        &self,
        prompt: &str,
        _: usize,
        warn: &mut dyn FnMut(String),
    ) -> std::result::Result<EncodedPrompt, TextError> {
        let tokens = self.tokenizer.encode(prompt, NO_THOUGHTS)?;
        if let Some(words) = tokens.cut {
            warn(format!("is longer than {TOKENS} tokens; this part has no effect: `{words}`"));
        }
        let real = tokens.ids.len();
        let mut ids = tokens.ids;
        ids.resize(TOKENS, self.tokenizer.padding());
        let states = self.encoder.padded_states(&ids, real, &STATES)?;
        Ok(EncodedPrompt { sequence: Tensor::cat(&states, D::Minus1)?, pooled: None })
    }

    /// Weights have no effect.
    fn weighted(&self, texts: &[String], _: usize) -> std::result::Result<Vec<EncodedPrompt>, TextError> {
        texts.iter().map(|text| self.prompt(&without_weights(text), 0, &mut |_| ())).collect()
    }

    fn has_own_lengths(&self) -> bool {
        true
    }
}

impl Family for Flux2 {
    fn factor(&self) -> usize {
        self.vae.factor() * PATCH
    }

    fn latent_channels(&self) -> usize {
        self.vae.latent_channels * PATCH * PATCH
    }

    fn is_inpainting(&self) -> bool {
        false
    }

    /// A distilled model does not take the scale, but has no use for guidance either.
    fn embeds_guidance(&self) -> bool {
        self.is_distilled
    }

    fn trajectory(&self, sampling: &Sampling) -> std::result::Result<Trajectory, ScheduleError> {
        trajectory(&self.scheduler_config, sampling, self.factor())
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

    fn predict(&self, rows: &Rows) -> Result<Tensor> {
        self.transformer.forward(&rows.latents, &rows.timesteps, &rows.sequences()?)
    }

    /// The latents are the mean of the autoencoder's distribution, in patches, normalised by channel.
    fn encode(&self, pixels: &Tensor) -> Result<Posterior> {
        let Posterior { mean, .. } = parts::encode(&self.vae, pixels)?;
        let (rows, channels, height, width) = mean.dims4()?;
        let patches = mean.reshape(&[rows, channels, height / PATCH, PATCH, width / PATCH, PATCH][..])?;
        let patches = patches.permute([0, 1, 3, 5, 2, 4])?.contiguous()?;
        let patches = patches.reshape((rows, channels * PATCH * PATCH, height / PATCH, width / PATCH))?;
        let mean = match &self.vae.statistics {
            Some([mean, deviation]) => patches.broadcast_sub(mean)?.broadcast_div(deviation)?,
            None => patches,
        };
        Ok(Posterior { mean, logvar: None, scaling_factor: 1.0, shift_factor: 0.0 })
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let patches = match &self.vae.statistics {
            Some([mean, deviation]) => latents.broadcast_mul(deviation)?.broadcast_add(mean)?,
            None => latents.clone(),
        };
        let (rows, channels, height, width) = patches.dims4()?;
        let channels = channels / PATCH / PATCH;
        let latents = patches.reshape(&[rows, channels, PATCH, PATCH, height, width][..])?;
        let latents = latents.permute([0, 1, 4, 2, 5, 3])?.contiguous()?;
        self.vae.decode(&latents.reshape((rows, channels, height * PATCH, width * PATCH))?)
    }

    fn replace_vae(&mut self, source: &ModelSource, device: &Device, dtype: DType) -> Loaded<()> {
        let vae = load_vae(source, &LoadOptions::new(device, dtype))?;
        parts::replace_vae(&mut self.vae, vae, source)
    }
}

#[cfg(test)]
mod tests;
