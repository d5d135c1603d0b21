//! The files of a model, and their digest.
//!
//! Names are those of diffusers' layout. Not here: the files' content.

use crate::error::ModelError;
use crate::families::detect::{Kind, TEXT_2_CONFIG, TRANSFORMER_CONFIG, detect};
use crate::models::safety_checker::SafetyChecker;
use crate::text::tokenizer_files;
use crate::weights::source::ModelSource;
use crate::weights::weight_files::WeightFiles;
use maquette_core::Digest;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(super) const SCHEDULER_CONFIG: &str = "scheduler/scheduler_config.json";
pub(super) const UNET_CONFIG: &str = "unet/config.json";
pub(super) const VAE_CONFIG: &str = "vae/config.json";
pub(super) const INDEX: &str = "model_index.json";
/// That of a modular pipeline.
pub(super) const MODULAR_INDEX: &str = "modular_model_index.json";
/// Weight files, without variant and extension.
pub(super) const UNET_WEIGHTS: &str = "unet/diffusion_pytorch_model";
pub(super) const TRANSFORMER_WEIGHTS: &str = "transformer/diffusion_pytorch_model";
pub(super) const VAE_WEIGHTS: &str = "vae/diffusion_pytorch_model";

/// A text encoder and its tokenizer.
pub(super) struct TextPart {
    /// The folder, which is also the prefix of its layers in LoRAs.
    pub name: &'static str,
    pub config: &'static str,
    /// Without variant and extension.
    pub weights: &'static str,
    pub tokenizer: &'static str,
}

/// The text encoder that every family here has.
pub(super) const TEXT: TextPart = TextPart {
    name: "text_encoder",
    config: "text_encoder/config.json",
    weights: "text_encoder/model",
    tokenizer: "tokenizer",
};

/// A second text encoder: SDXL's, Stable Diffusion 3's, or FLUX.1's, which is T5.
pub(super) const TEXT_2: TextPart = TextPart {
    name: "text_encoder_2",
    config: TEXT_2_CONFIG,
    weights: "text_encoder_2/model",
    tokenizer: "tokenizer_2",
};

/// Stable Diffusion 3's third one, which may be left out.
pub(super) const TEXT_3: TextPart = TextPart {
    name: "text_encoder_3",
    config: "text_encoder_3/config.json",
    weights: "text_encoder_3/model",
    tokenizer: "tokenizer_3",
};

/// Anima's conditioner, which encodes prompts together with the text encoder, and the tokenizer of T5.
pub(super) const CONDITIONER: TextPart = TextPart {
    name: "text_conditioner",
    config: "text_conditioner/config.json",
    weights: "text_conditioner/diffusion_pytorch_model",
    tokenizer: "t5_tokenizer",
};

/// The text encoders of a family that every model has.
pub(super) fn texts(kind: Kind) -> &'static [TextPart] {
    match kind {
        Kind::StableDiffusion | Kind::ZImage | Kind::Flux2 | Kind::Chroma | Kind::QwenImage => &[TEXT],
        Kind::Sdxl | Kind::StableDiffusion3 | Kind::Flux1 => &[TEXT, TEXT_2],
        Kind::Anima => &[TEXT, CONDITIONER],
    }
}

/// The files on disk that a [`fingerprint`] is computed from; none for a model embedded in the program.
pub fn files(source: &ModelSource) -> Vec<PathBuf> {
    let mut files = on_disk(source, &read_files(source));
    // What it states is a part of the scheduler's configuration.
    files.extend(source.checkpoint().and_then(|checkpoint| checkpoint.yaml()).map(Path::to_owned));
    files
}

/// BLAKE3 over name, length and content of each file that is read to load the model, sorted by name.
pub fn fingerprint(source: &ModelSource) -> Result<Digest, ModelError> {
    digest(source, read_files(source))
}

/// The files on disk that a [`safety_checker_digest`] is computed from.
pub fn safety_checker_files(source: &ModelSource) -> Vec<PathBuf> {
    on_disk(source, &SafetyChecker::files(source))
}

/// The same as [`fingerprint`] for the files of a model's safety checker, which are not read to load the model.
pub fn safety_checker_digest(source: &ModelSource) -> Result<Digest, ModelError> {
    digest(source, SafetyChecker::files(source))
}

fn on_disk(source: &ModelSource, files: &[String]) -> Vec<PathBuf> {
    // A checkpoint is the weight file of every part.
    let paths: BTreeSet<PathBuf> = files.iter().map(|file| PathBuf::from(source.file_name(file))).collect();
    paths.into_iter().filter(|path| path.is_file()).collect()
}

fn digest(source: &ModelSource, files: Vec<String>) -> Result<Digest, ModelError> {
    let mut hasher = blake3::Hasher::new();
    let mut seen = BTreeSet::new();
    for file in files {
        if !seen.insert(source.file_name(&file)) {
            continue;
        }
        let content = source.open(&file)?;
        hasher.update(&(file.len() as u64).to_le_bytes()).update(file.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes());
        content.hash(&mut hasher);
    }
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// Configuration and weights of a family's denoiser.
fn denoiser(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::StableDiffusion | Kind::Sdxl => (UNET_CONFIG, UNET_WEIGHTS),
        _ => (TRANSFORMER_CONFIG, TRANSFORMER_WEIGHTS),
    }
}

/// The names of the files that are read to load the model, sorted.
fn read_files(source: &ModelSource) -> Vec<String> {
    let kind = detect(source);
    // The first name is included even if it is missing.
    let weights = |stem: &str| {
        let missing = |_| [format!("{stem}.safetensors")].into();
        source.weight_files(stem).map_or_else(missing, WeightFiles::all)
    };
    let (config, stem) = denoiser(kind);
    let mut files = [SCHEDULER_CONFIG, config, VAE_CONFIG].map(str::to_owned).to_vec();
    files.extend(weights(stem));
    files.extend(weights(VAE_WEIGHTS));
    for part in texts(kind) {
        files.push(part.config.to_owned());
        files.extend(weights(part.weights));
        let is_clip = match kind {
            Kind::StableDiffusion | Kind::Sdxl | Kind::StableDiffusion3 => true,
            Kind::Flux1 => part.name == TEXT.name,
            Kind::ZImage | Kind::Flux2 | Kind::Chroma | Kind::Anima | Kind::QwenImage => false,
        };
        files.extend(match is_clip {
            true => tokenizer_files::files(source, part.tokenizer),
            false => tokenizer_files::files_of_whole(source, part.tokenizer),
        });
    }
    if kind == Kind::StableDiffusion3 && source.has(TEXT_3.config) {
        files.push(TEXT_3.config.to_owned());
        files.extend(weights(TEXT_3.weights));
        files.extend(tokenizer_files::files_of_whole(source, TEXT_3.tokenizer));
    }
    if matches!(kind, Kind::Sdxl | Kind::Flux2) && source.has(INDEX) {
        files.push(INDEX.to_owned());
    }
    files.sort_unstable();
    files
}
