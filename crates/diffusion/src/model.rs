//! A model as a whole: which files it is made of, what it says of itself, and loading all of it or nothing.
//!
//! Not here: what its parts compute.

use crate::cache::Cache;
use crate::config::ConfigFile;
use crate::inversion::{Inversion, InversionError, Inversions};
use crate::layers::{Layers, Record};
use crate::lora::{self, LoraError, Loras};
use crate::schedulers::SchedulerConfig;
pub use crate::source::ModelSource;
use crate::tokenizer::{self, Tokenizer};
use crate::weights::WeightFile;
use crate::{ModelError, SafetyChecker, TextEncoder, Unet, Vae, text_encoder, unet, vae};
use candle_core::{DType, Device};
use maquette_core::{Digest, Embedding, Lora, ModelCard, NamedFile, Scheduler};
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
const UNET_CONFIG: &str = "unet/config.json";
const VAE_CONFIG: &str = "vae/config.json";
/// Weights in full precision first; the files in half precision do where those are not there.
const TEXT_WEIGHTS: [&str; 2] = ["text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors"];
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
    Tokenizer::load(source, text_encoder::positions(&config)?, text_encoder::words(&config)?)
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
        let text_config = ConfigFile::open(source, TEXT_CONFIG)?;
        let unet_config = ConfigFile::open(source, UNET_CONFIG)?;
        let vae_config = ConfigFile::open(source, VAE_CONFIG)?;
        let record = Record::default();
        let text_weights = open(&TEXT_WEIGHTS, &text_config)?;
        let text_weights = text_weights.root().recorded(&record, "text_encoder");
        let text_encoder = TextEncoder::load(&text_config, &text_weights)?;
        let tokenizer = Tokenizer::load(source, text_encoder.positions(), text_encoder.words())?;
        let vae = Vae::load(&vae_config, &open(&VAE_WEIGHTS, &vae_config)?.root())?;
        let unet_weights = open(&UNET_WEIGHTS, &unet_config)?;
        let unet = Unet::load(&unet_config, &unet_weights.root().recorded(&record, "unet"), dtype)?;
        if unet.text_width != text_encoder.width() {
            let supported = format!("{}, the text encoder's hidden_size", text_encoder.width());
            return Err(unet_config.refuse("cross_attention_dim", supported));
        }
        let latents = vae.latent_channels;
        if unet.out_channels != latents {
            let supported = format!("{latents}, the autoencoder's latent_channels");
            return Err(unet_config.refuse("out_channels", supported));
        }
        if ![latents, seen_channels(latents)].contains(&unet.in_channels) {
            let supported = format!(
                "{latents}, the autoencoder's latent_channels, or {} for inpainting",
                seen_channels(latents)
            );
            return Err(unet_config.refuse("in_channels", supported));
        }
        Ok(Model {
            tokenizer,
            text_encoder,
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
        let widths = [self.text_encoder.width()];
        let mut list = Vec::new();
        for embedding in embeddings {
            let Embedding { word, file: NamedFile { file, digest, .. } } = embedding;
            let key = (*digest, Arc::clone(file), word.clone());
            let open = || Inversion::open(embedding, &widths).map(Arc::new);
            list.push(self.inversions.get_or_try(&key, open)?);
        }
        Inversions::new(list, &self.tokenizer, &[&self.text_encoder])
    }
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
    let paths = read_files(source).into_iter().map(|file| PathBuf::from(source.file_name(file)));
    paths.filter(|path| path.is_file()).collect()
}

/// The names of the files that loading reads, sorted.
fn read_files(source: &ModelSource) -> Vec<&'static str> {
    let first =
        |files: &[&'static str]| files.iter().copied().find(|file| source.has(file)).unwrap_or(files[0]);
    let mut files = vec![SCHEDULER_CONFIG, TEXT_CONFIG, UNET_CONFIG, VAE_CONFIG];
    files.extend([first(&TEXT_WEIGHTS), first(&UNET_WEIGHTS), first(&VAE_WEIGHTS)]);
    if source.has(tokenizer::WHOLE) {
        files.push(tokenizer::WHOLE);
    } else {
        files.extend(tokenizer::PARTS);
    }
    files.extend(tokenizer::SETTINGS.into_iter().filter(|file| source.has(file)));
    files.sort_unstable();
    files
}

/// BLAKE3 over name, length and content of each file that loading reads, in the order of their names.
pub fn fingerprint(source: &ModelSource) -> Result<Digest, ModelError> {
    let mut hasher = blake3::Hasher::new();
    for file in read_files(source) {
        let content = source.open(file)?;
        hasher.update(&(file.len() as u64).to_le_bytes()).update(file.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes()).update_rayon(&content);
    }
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}
