//! Detects the family of a model from its files.

use crate::weights::source::ModelSource;

/// The configuration of a second text encoder: only SDXL has one.
pub(super) const TEXT_2_CONFIG: &str = "text_encoder_2/config.json";

/// The families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stable Diffusion 1 and 2.
    StableDiffusion,
    /// Stable Diffusion XL.
    Sdxl,
}

/// The name of the published tiny autoencoder (TAESD) that decodes a model's latents: those of Stable Diffusion 1 and 2, or
/// of SDXL. `None` for the bundled model, whose latents are its own.
pub fn tiny_vae_name(source: &ModelSource) -> Option<&'static str> {
    match (source, detect(source)) {
        (ModelSource::Bytes(_), _) => None,
        (_, Kind::StableDiffusion) => Some("taesd"),
        (_, Kind::Sdxl) => Some("taesdxl"),
    }
}

/// The family of a model, by the files that it has. Their content is not read or checked.
pub(crate) fn detect(source: &ModelSource) -> Kind {
    if source.has(TEXT_2_CONFIG) { Kind::Sdxl } else { Kind::StableDiffusion }
}
