//! A model's card: its properties, without loading it; and notes on how its files are read.

use crate::error::ModelError;
use crate::families::anima::Anima;
use crate::families::chroma::{self, Chroma};
use crate::families::detect::{Kind, detect};
use crate::families::error::RenderError;
use crate::families::files::{INDEX, UNET_CONFIG, UNET_WEIGHTS, VAE_CONFIG, VAE_WEIGHTS, fingerprint, texts};
use crate::families::flux1::{self, Flux1};
use crate::families::flux2::{self, Flux2};
use crate::families::note::{Concerns, ModelNote};
use crate::families::other_kinds;
use crate::families::parts::{check_channels, check_shift, inpainting_channels};
use crate::families::qwen_image::QwenImage;
use crate::families::scheduler::{self, ModelScheduler};
use crate::families::stable_diffusion_3::{self, StableDiffusion3};
use crate::families::z_image::{self, ZImage};
use crate::models::safety_checker::SafetyChecker;
use crate::models::{unet, vae};
use crate::schedulers::{Sampling, trajectory};
use crate::text::tokenizer;
use crate::weights::config::ConfigFile;
use crate::weights::dtypes::check_dtypes;
use crate::weights::single_file::{Checkpoint, is_spare_in_text_encoder, is_spare_in_vae};
use crate::weights::source::ModelSource;
use crate::weights::transformer_file::TransformerFile;
use maquette_core::{Digest, ModelCard, Settings};

/// The version of the rules by which models are read, for [`ModelCard::reading`].
///
/// Version 2 reads `steps_offset`, `clip_sample` and nulls as diffusers' pipelines do, what single files state about their
/// prediction type and noise schedule, and tokens that were added to a tokenizer.
const READING: u32 = 2;

/// The card of a model.
///
/// Reads every byte of the model once, for the fingerprint, which takes some seconds for gigabytes on a slow disk.
pub fn card(source: &ModelSource) -> Result<ModelCard, ModelError> {
    card_with(source, || fingerprint(source))
}

/// The same with a [`fingerprint`] from the caller, which may have cached it: only small files are read here.
pub fn card_with(
    source: &ModelSource,
    fingerprint: impl FnOnce() -> Result<Digest, ModelError>,
) -> Result<ModelCard, ModelError> {
    other_kinds::refuse(source)?;
    let kind = detect(source);
    match kind {
        Kind::StableDiffusion | Kind::Sdxl => {}
        Kind::ZImage => return ZImage::card(source, fingerprint),
        Kind::StableDiffusion3 => return StableDiffusion3::card(source, fingerprint),
        Kind::Flux1 => return Flux1::card(source, fingerprint),
        Kind::Flux2 => return Flux2::card(source, fingerprint),
        Kind::Chroma => return Chroma::card(source, fingerprint),
        Kind::Anima => return Anima::card(source, fingerprint),
        Kind::QwenImage => return QwenImage::card(source, fingerprint),
    }
    let unet = ConfigFile::open(source, UNET_CONFIG)?;
    let vae = ConfigFile::open(source, VAE_CONFIG)?;
    check_shift(&vae)?;
    let vae::Shape { factor, latent_channels, .. } = vae::Shape::read(&vae)?;
    unet::check(&unet)?;
    check_channels(&unet, latent_channels)?;
    let size = sample_size(&unet, kind)? * factor;
    let own = scheduler::read(source, kind)?;
    let ModelScheduler { config, class, scheduler, .. } = &own;
    check_weights(source, kind)?;
    let zero_snr = config.rescale_betas_zero_snr.unwrap_or(false);
    Ok(ModelCard {
        reading: if is_reread(source, kind, &own, &unet, &vae)? { READING } else { 1 },
        family: kind.family(),
        shift: None,
        steps: None,
        guidance_scale: None,
        scheduler: *scheduler,
        scheduler_class: scheduler.is_none().then(|| class.clone()),
        spacing: config.timestep_spacing,
        sigmas: config.sigmas(),
        prediction_type: Some(config.prediction()),
        zero_snr: Some(zero_snr),
        size: (size as u32, size as u32),
        multiple_of: factor as u32,
        inpainting: unet::in_channels(&unet)? == inpainting_channels(latent_channels),
        guidance_embedding: unet::embeds_guidance(&unet)?,
        safety_checker: SafetyChecker::is_in(source),
        safety_checker_weights: None,
        fingerprint: fingerprint()?,
    })
}

/// Notes on files of a model that contradict each other, leave something open, or are not taken literally. Only small files
/// are read.
pub fn model_notes(source: &ModelSource) -> Result<Vec<ModelNote>, ModelError> {
    let plain = |text| ModelNote { text, concerns: Concerns::All };
    let of_flow = match detect(source) {
        Kind::StableDiffusion | Kind::Sdxl => None,
        Kind::ZImage => Some(z_image::notes()),
        Kind::StableDiffusion3 => Some(stable_diffusion_3::notes(source)?),
        Kind::Flux1 => Some(flux1::notes(source)?),
        Kind::Flux2 => Some(flux2::notes(source)?),
        Kind::Chroma => Some(chroma::notes()),
        Kind::Anima | Kind::QwenImage => Some(Vec::new()),
    };
    if let Some(of_flow) = of_flow {
        let of_file = source.transformer_file().map_or(Vec::new(), TransformerFile::notes);
        return Ok(of_file.into_iter().map(plain).chain(of_flow).collect());
    }
    let mut notes: Vec<ModelNote> =
        scheduler::read(source, detect(source))?.notes.into_iter().map(plain).collect();
    if let Some(checkpoint) = source.checkpoint() {
        notes.extend(checkpoint.notes().into_iter().map(plain));
        notes.extend(
            checkpoint.open_question().map(|text| ModelNote {
                text: text.to_owned(),
                concerns: Concerns::Without("prediction_type"),
            }),
        );
    }
    if unet::embeds_guidance(&ConfigFile::open(source, UNET_CONFIG)?)? {
        let text = "`steps` is 50 unless it is set: latent consistency models are made for 4 to 8";
        notes.push(ModelNote { text: text.to_owned(), concerns: Concerns::Without("steps") });
        notes.push(ModelNote::of_negative_prompt());
    }
    Ok(notes)
}

/// Whether a model can compute the steps of a picture with these settings, from its configuration alone.
pub fn check_sampling(source: &ModelSource, settings: &Settings) -> Result<(), RenderError> {
    let kind = detect(source);
    match kind {
        Kind::StableDiffusion | Kind::Sdxl => {}
        Kind::ZImage => return ZImage::check_sampling(source, settings),
        Kind::StableDiffusion3 => return StableDiffusion3::check_sampling(source, settings),
        Kind::Flux1 => return Flux1::check_sampling(source, settings),
        Kind::Flux2 => return Flux2::check_sampling(source, settings),
        Kind::Chroma => return Chroma::check_sampling(source, settings),
        Kind::Anima => return Anima::check_sampling(source, settings),
        Kind::QwenImage => return QwenImage::check_sampling(source, settings),
    }
    let config = scheduler::read(source, kind)?.config;
    trajectory(&config, &Sampling::from(settings))?;
    Ok(())
}

/// Refuses weights that cannot be read, by their headers.
fn check_weights(source: &ModelSource, kind: Kind) -> Result<(), ModelError> {
    check_dtypes(source, UNET_WEIGHTS, |_| false)?;
    check_dtypes(source, VAE_WEIGHTS, is_spare_in_vae)?;
    texts(kind).iter().try_for_each(|part| check_dtypes(source, part.weights, is_spare_in_text_encoder))
}

/// The size that it was trained on, in latent pixels. `StableDiffusionPipeline` takes 64 instead of smaller sizes in
/// configurations from before diffusers 0.9.
fn sample_size(unet: &ConfigFile, kind: Kind) -> Result<usize, ModelError> {
    let size = unet::sample_size(unet)?;
    let version = unet.get("_diffusers_version").and_then(|version| version.as_str());
    let mut numbers = version.unwrap_or_default().split('.').map(|number| number.parse::<u32>().ok());
    let is_old = matches!((numbers.next(), numbers.next()), (Some(Some(0)), Some(Some(0..9))));
    Ok(if kind == Kind::StableDiffusion && is_old { size.max(64) } else { size })
}

/// Whether version 1 of the rules for reading models gave other pictures; in doubt it did.
fn is_reread(
    source: &ModelSource,
    kind: Kind,
    scheduler: &ModelScheduler,
    unet: &ConfigFile,
    vae: &ConfigFile,
) -> Result<bool, ModelError> {
    let nulls = unet.is_null("flip_sin_to_cos") || vae.is_null("force_upcast");
    let index = source.has(INDEX) && ConfigFile::open(source, INDEX)?.is_null("force_zeros_for_empty_prompt");
    let added = texts(kind).iter().map(|part| tokenizer::has_added_tokens(source, part.tokenizer));
    Ok(nulls
        || index
        || scheduler.is_reread
        || source.checkpoint().is_some_and(Checkpoint::is_restated)
        || added.collect::<Result<Vec<bool>, _>>()?.contains(&true))
}
