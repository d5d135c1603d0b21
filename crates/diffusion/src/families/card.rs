//! A model's card: its properties, without loading it.

use crate::error::ModelError;
use crate::families::files::{UNET_CONFIG, VAE_CONFIG, fingerprint};
use crate::families::parts::inpainting_channels;
use crate::families::scheduler;
use crate::models::safety_checker::SafetyChecker;
use crate::models::{unet, vae};
use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use maquette_core::{Digest, ModelCard};

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
    let unet = ConfigFile::open(source, UNET_CONFIG)?;
    let vae = ConfigFile::open(source, VAE_CONFIG)?;
    let factor = vae::factor(vae.widths("block_out_channels")?.len());
    let size = unet::sample_size(&unet)? * factor;
    let (scheduler_config, scheduler) = scheduler::read(source)?;
    Ok(ModelCard {
        scheduler,
        spacing: scheduler_config.timestep_spacing,
        sigmas: scheduler_config.sigmas(),
        size: (size as u32, size as u32),
        multiple_of: factor as u32,
        fingerprint: fingerprint()?,
        inpainting: unet::in_channels(&unet)? == inpainting_channels(vae::latent_channels(&vae)?),
        safety_checker: SafetyChecker::is_in(source),
        safety_checker_weights: None,
    })
}
