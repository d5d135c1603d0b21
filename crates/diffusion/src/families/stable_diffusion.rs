//! A model as a whole: which files it is made of, what it says of itself, and loading all of it or nothing.
//!
//! Not here: what its parts compute.

use crate::cache::Cache;
use crate::error::ModelError;
use crate::models::safety_checker::SafetyChecker;
use crate::models::unet::Unet;
use crate::models::vae::Vae;
use crate::models::{unet, vae};
use crate::sampler::error::RenderError;
use crate::schedulers::SchedulerConfig;
use crate::text::encoder as text_encoder;
use crate::text::encoder::TextEncoder;
use crate::text::tokenizer;
use crate::text::tokenizer::Tokenizer;
use crate::weights::config::ConfigFile;
use crate::weights::lora;
use crate::weights::lora::targets::{Layers, Record};
use crate::weights::lora::{LoraError, Loras};
use crate::weights::single_file as checkpoint;
pub use crate::weights::source::ModelSource;
use crate::weights::tensors::WeightFile;
use crate::weights::textual_inversion::{Inversion, InversionError, Inversions};
use candle_core::{DType, Device};
use maquette_core::{Digest, Embedding, Lora, ModelCard, NamedFile, Scheduler};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What tells textual inversions apart: content, file, word.
type InversionKey = (Digest, Arc<Path>, Option<Arc<str>>);

/// A loaded model.
pub struct Model {
    /// Prompts to token ids.
    pub tokenizer: Tokenizer,
    /// Token ids to embeddings.
    pub text_encoder: TextEncoder,
    /// The second pair of these, in SDXL.
    pub second: Option<(Tokenizer, TextEncoder)>,
    /// Whether an empty negative prompt stands for zeros, in SDXL.
    pub zeros_for_empty_prompt: bool,
    /// Latents, timestep and embeddings to predicted noise.
    pub unet: Unet,
    /// Pixels to latents and back.
    pub vae: Vae,
    /// How it was trained, and what its authors chose for sampling.
    pub scheduler_config: SchedulerConfig,
    /// The layers of text encoder and UNet, for LoRA.
    layers: Layers,
    loras: Loras,
    inversions: Cache<InversionKey, Arc<Inversion>>,
}

/// Textual inversions that are remembered; each is a few kilobytes.
const INVERSIONS: usize = 64;

const SCHEDULER_CONFIG: &str = "scheduler/scheduler_config.json";
const TEXT_CONFIG: &str = "text_encoder/config.json";
const TEXT_2_CONFIG: &str = "text_encoder_2/config.json";
const UNET_CONFIG: &str = "unet/config.json";
const VAE_CONFIG: &str = "vae/config.json";
const INDEX: &str = "model_index.json";
/// Weights in full precision first; the files in half precision do where those are not there.
const TEXT_WEIGHTS: [&str; 2] = ["text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors"];
const TEXT_2_WEIGHTS: [&str; 2] =
    ["text_encoder_2/model.safetensors", "text_encoder_2/model.fp16.safetensors"];
const UNET_WEIGHTS: [&str; 2] =
    ["unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"];
const VAE_WEIGHTS: [&str; 2] =
    ["vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors"];

/// What a model says of itself, without loading it.
///
/// Reads every byte of it once, for the fingerprint: some seconds for gigabytes on a slow disk.
pub fn card(source: &ModelSource) -> Result<ModelCard, ModelError> {
    card_with(source, || fingerprint(source))
}

/// The same, where somebody may know the [`fingerprint`] already: only small files are read.
pub fn card_with(
    source: &ModelSource,
    fingerprint: impl FnOnce() -> Result<Digest, ModelError>,
) -> Result<ModelCard, ModelError> {
    let unet = ConfigFile::open(source, UNET_CONFIG)?;
    let vae = ConfigFile::open(source, VAE_CONFIG)?;
    let factor = vae::factor(vae.widths("block_out_channels")?.len());
    let size = unet::sample_size(&unet)? * factor;
    let (scheduler_config, scheduler) = scheduler(source)?;
    Ok(ModelCard {
        scheduler,
        spacing: scheduler_config.timestep_spacing,
        sigmas: scheduler_config.sigmas(),
        size: (size as u32, size as u32),
        multiple_of: factor as u32,
        fingerprint: fingerprint()?,
        inpainting: unet::in_channels(&unet)? == seen_channels(vae::latent_channels(&vae)?),
        safety_checker: SafetyChecker::is_in(source),
    })
}

/// What the UNet of an inpainting model sees: latents, a mask, and the latents of what the mask leaves.
fn seen_channels(latents: usize) -> usize {
    2 * latents + 1
}

/// A model's tokenizer, without its weights.
pub fn tokenizer(source: &ModelSource) -> Result<Tokenizer, ModelError> {
    let config = ConfigFile::open(source, TEXT_CONFIG)?;
    let (positions, words) = (text_encoder::positions(&config)?, text_encoder::words(&config)?);
    Tokenizer::load(source, "tokenizer", positions, words)
}

/// What the words of textual inversions are to a model's prompts, without its weights: every word takes its tokens, and
/// none has a vector yet.
pub fn inversions(
    source: &ModelSource,
    tokenizer: &Tokenizer,
    embeddings: &[Embedding],
) -> Result<Inversions, RenderError> {
    let second = is_xl(source).then_some(TEXT_2_CONFIG);
    let configs = [TEXT_CONFIG].into_iter().chain(second).map(|config| ConfigFile::open(source, config));
    let widths =
        configs.map(|config| text_encoder::width(&config?)).collect::<Result<Vec<usize>, ModelError>>()?;
    let open = |embedding| Inversion::open(embedding, &widths).map(Arc::new);
    let list = embeddings.iter().map(open).collect::<Result<_, _>>()?;
    Ok(Inversions::new(list, tokenizer, &[])?)
}

impl Model {
    /// Whether its UNet sees a mask and what it leaves of a picture.
    pub fn inpainting(&self) -> bool {
        self.unet.in_channels == seen_channels(self.vae.latent_channels)
    }

    /// Loads every part of a model onto a device, its weights in `dtype` (f32, f16 or bf16).
    pub fn load(source: &ModelSource, device: &Device, dtype: DType) -> Result<Model, ModelError> {
        let open = |files: &[&str], config: &ConfigFile| {
            WeightFile::open(source, files, config.file(), dtype, device)
        };
        let (scheduler_config, _) = scheduler(source)?;
        let record = Record::default();

        let xl = is_xl(source);
        let text = |config: &str, files: &[&str], part: &'static str, tokenizer: &str| {
            let config = ConfigFile::open(source, config)?;
            let weights = open(files, &config)?;
            let root = weights.root().recorded(&record, part);
            let text_encoder = match xl {
                true => TextEncoder::load_for_xl(&config, &root, part == "text_encoder_2")?,
                false => TextEncoder::load(&config, &root)?,
            };
            weights.all_used(checkpoint::is_spare_in_text_encoder)?;
            let (positions, words) = (text_encoder.positions(), text_encoder.words());
            Ok::<_, ModelError>((Tokenizer::load(source, tokenizer, positions, words)?, text_encoder))
        };
        let (tokenizer, text_encoder) = text(TEXT_CONFIG, &TEXT_WEIGHTS, "text_encoder", "tokenizer")?;
        let second = match xl {
            true => Some(text(TEXT_2_CONFIG, &TEXT_2_WEIGHTS, "text_encoder_2", "tokenizer_2")?),
            false => None,
        };
        let zeros_for_empty_prompt = match xl && source.has(INDEX) {
            true => ConfigFile::open(source, INDEX)?.flag("force_zeros_for_empty_prompt", true)?,
            false => xl,
        };

        let vae = load_vae(source, device, dtype, xl)?;

        let config = ConfigFile::open(source, UNET_CONFIG)?;
        let weights = open(&UNET_WEIGHTS, &config)?;
        let unet = Unet::load(&config, &weights.root().recorded(&record, "unet"), dtype)?;
        weights.all_used(|_| false)?;
        let second_encoder = second.as_ref().map(|(_, text_encoder)| text_encoder);
        let text_width = text_encoder.width() + second_encoder.map_or(0, TextEncoder::width);
        if unet.text_width != text_width {
            let whose =
                if xl { "the text encoders' hidden_size in all" } else { "the text encoder's hidden_size" };
            return Err(config.refuse("cross_attention_dim", format!("{text_width}, {whose}")));
        }
        match (unet.pooled_width(), second_encoder.and_then(TextEncoder::pooled_width)) {
            (taken, given) if taken == given => {}
            (None, _) => {
                return Err(
                    config.refuse("addition_embed_type", "\"text_time\", as there is a text_encoder_2")
                );
            }
            (Some(_), None) => {
                return Err(config.refuse("addition_embed_type", "absent, as there is no text_encoder_2"));
            }
            (Some(_), Some(given)) => {
                let sizes = "six times addition_time_embed_dim";
                let supported = format!("{given}, text_encoder_2's projection_dim, and {sizes}");
                return Err(config.refuse("projection_class_embeddings_input_dim", supported));
            }
        }
        let latents = vae.latent_channels;
        if unet.out_channels != latents {
            let supported = format!("{latents}, the autoencoder's latent_channels");
            return Err(config.refuse("out_channels", supported));
        }
        if ![latents, seen_channels(latents)].contains(&unet.in_channels) {
            let supported = format!(
                "{latents}, the autoencoder's latent_channels, or {} for inpainting",
                seen_channels(latents)
            );
            return Err(config.refuse("in_channels", supported));
        }
        Ok(Model {
            tokenizer,
            text_encoder,
            second,
            zeros_for_empty_prompt,
            unet,
            vae,
            scheduler_config,
            layers: record.finish(),
            loras: Loras::new(),
            inversions: Cache::new(INVERSIONS),
        })
    }

    /// Makes the text encoder and the UNet compute with these LoRAs and no others; none are the model as it was loaded.
    ///
    /// Nothing of the model is loaded again. After an error it computes without any.
    pub fn set_loras(&mut self, loras: &[Lora]) -> Result<(), LoraError> {
        self.loras.apply(&self.layers, loras)
    }

    /// What of the LoRAs that act now concerns the text encoder.
    pub(crate) fn text_loras(&self) -> &lora::Key {
        self.loras.of_text()
    }

    /// The words of textual inversions, for the tokenizer, with their vectors, for the text encoder.
    pub fn inversions(&mut self, embeddings: &[Embedding]) -> Result<Inversions, InversionError> {
        let second = self.second.as_ref().map(|(_, text_encoder)| text_encoder);
        let encoders: Vec<&TextEncoder> = [&self.text_encoder].into_iter().chain(second).collect();
        let widths: Vec<usize> = encoders.iter().map(|encoder| encoder.width()).collect();
        let mut list = Vec::new();
        for embedding in embeddings {
            let Embedding { word, file: NamedFile { file, digest, .. } } = embedding;
            let key = (*digest, Arc::clone(file), word.clone());
            let open = || Inversion::open(embedding, &widths).map(Arc::new);
            list.push(self.inversions.get_or_try(&key, open)?);
        }
        Inversions::new(list, &self.tokenizer, &encoders)
    }
}

/// Whether there are two text encoders.
fn is_xl(source: &ModelSource) -> bool {
    source.has(TEXT_2_CONFIG)
}

impl Model {
    /// Takes the autoencoder of `source` instead of its own; it must have as many latent channels.
    pub(crate) fn replace_vae(
        &mut self,
        source: &ModelSource,
        device: &Device,
        dtype: DType,
    ) -> Result<(), ModelError> {
        let vae = load_vae(source, device, dtype, self.second.is_some())?;
        if vae.latent_channels != self.vae.latent_channels {
            let supported = format!("{}, as the model's own autoencoder", self.vae.latent_channels);
            return Err(ConfigFile::open(source, VAE_CONFIG)?.refuse("latent_channels", supported));
        }
        self.vae = vae;
        Ok(())
    }
}

/// The autoencoder of a model alone.
///
/// SDXL's overflows in f16, so it is kept in f32 unless its configuration says that it need not be (`force_upcast`, as
/// diffusers' `StableDiffusionXLPipeline` has it).
fn load_vae(source: &ModelSource, device: &Device, dtype: DType, xl: bool) -> Result<Vae, ModelError> {
    let config = ConfigFile::open(source, VAE_CONFIG)?;
    let dtype = match dtype {
        DType::F16 if xl && config.flag("force_upcast", true)? => DType::F32,
        dtype => dtype,
    };
    let weights = WeightFile::open(source, &VAE_WEIGHTS, config.file(), dtype, device)?;
    let vae = Vae::load(&config, &weights.root(), dtype)?;
    weights.all_used(checkpoint::is_spare_in_vae)?;
    Ok(vae)
}

/// The scheduler's configuration, and which of ours it belongs to.
fn scheduler(source: &ModelSource) -> Result<(SchedulerConfig, Scheduler), ModelError> {
    const CLASSES: [(&str, Scheduler); 9] = [
        ("PNDMScheduler", Scheduler::Pndm),
        ("DDIMScheduler", Scheduler::Ddim),
        ("DDPMScheduler", Scheduler::Ddpm),
        ("EulerDiscreteScheduler", Scheduler::Euler),
        ("EulerAncestralDiscreteScheduler", Scheduler::EulerA),
        ("HeunDiscreteScheduler", Scheduler::Heun),
        ("DPMSolverMultistepScheduler", Scheduler::Dpmpp2m),
        ("UniPCMultistepScheduler", Scheduler::Unipc),
        ("LCMScheduler", Scheduler::Lcm),
    ];
    let file = ConfigFile::open(source, SCHEDULER_CONFIG)?;
    let config: SchedulerConfig = file.parse()?;
    match CLASSES.iter().find(|(class, _)| *class == config.class_name) {
        Some((_, scheduler)) => Ok((config, *scheduler)),
        None => Err(file.refuse("_class_name", CLASSES.map(|(class, _)| class).join(", "))),
    }
}

/// The files on disk that a [`fingerprint`] is made from; none of a model that lies inside the program.
pub fn files(source: &ModelSource) -> Vec<PathBuf> {
    // A checkpoint is the weight file of every part.
    let paths: BTreeSet<PathBuf> =
        read_files(source).iter().map(|file| PathBuf::from(source.file_name(file))).collect();
    paths.into_iter().filter(|path| path.is_file()).collect()
}

/// The names of the files that loading reads, sorted.
fn read_files(source: &ModelSource) -> Vec<String> {
    let first = |files: &[&'static str]| {
        files.iter().copied().find(|file| source.has(file)).unwrap_or(files[0]).to_owned()
    };
    let mut files = [SCHEDULER_CONFIG, TEXT_CONFIG, UNET_CONFIG, VAE_CONFIG].map(str::to_owned).to_vec();
    files.extend([first(&TEXT_WEIGHTS), first(&UNET_WEIGHTS), first(&VAE_WEIGHTS)]);
    files.extend(tokenizer::files(source, "tokenizer"));
    if is_xl(source) {
        files.extend([TEXT_2_CONFIG.to_owned(), first(&TEXT_2_WEIGHTS)]);
        files.extend(tokenizer::files(source, "tokenizer_2"));
        files.extend(source.has(INDEX).then(|| INDEX.to_owned()));
    }
    files.sort_unstable();
    files
}

/// BLAKE3 over name, length and content of each file that loading reads, in the order of their names.
pub fn fingerprint(source: &ModelSource) -> Result<Digest, ModelError> {
    let mut hasher = blake3::Hasher::new();
    let mut seen = BTreeSet::new();
    for file in read_files(source) {
        if !seen.insert(source.file_name(&file)) {
            continue;
        }
        let content = source.open(&file)?;
        hasher.update(&(file.len() as u64).to_le_bytes()).update(file.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes()).update_rayon(&content);
    }
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}
