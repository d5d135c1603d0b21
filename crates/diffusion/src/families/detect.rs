//! Detects the family of a model from its files.

use crate::weights::config::ConfigFile;
use crate::weights::source::ModelSource;
use maquette_core::ModelFamily;

/// The configuration of a second text encoder: only SDXL has one.
pub(super) const TEXT_2_CONFIG: &str = "text_encoder_2/config.json";

/// The configuration of a transformer, which other families have in place of the UNet.
pub(super) const TRANSFORMER_CONFIG: &str = "transformer/config.json";

/// The families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stable Diffusion 1 and 2.
    StableDiffusion,
    /// Stable Diffusion XL.
    Sdxl,
    /// Z-Image and Z-Image-Turbo.
    ZImage,
    /// Stable Diffusion 3 and 3.5.
    StableDiffusion3,
    /// FLUX.1 schnell and dev.
    Flux1,
    /// FLUX.2 klein.
    Flux2,
    /// Chroma.
    Chroma,
    /// Anima.
    Anima,
    /// Qwen-Image.
    QwenImage,
}

impl Kind {
    /// The word for it in plans.
    pub fn family(self) -> ModelFamily {
        match self {
            Kind::StableDiffusion => ModelFamily::StableDiffusion,
            Kind::Sdxl => ModelFamily::Sdxl,
            Kind::ZImage => ModelFamily::ZImage,
            Kind::StableDiffusion3 => ModelFamily::StableDiffusion3,
            Kind::Flux1 => ModelFamily::Flux1,
            Kind::Flux2 => ModelFamily::Flux2,
            Kind::Chroma => ModelFamily::Chroma,
            Kind::Anima => ModelFamily::Anima,
            Kind::QwenImage => ModelFamily::QwenImage,
        }
    }
}

/// The classes of transformers, and their families.
const TRANSFORMERS: [(&str, Kind); 7] = [
    ("ZImageTransformer2DModel", Kind::ZImage),
    ("SD3Transformer2DModel", Kind::StableDiffusion3),
    ("FluxTransformer2DModel", Kind::Flux1),
    ("Flux2Transformer2DModel", Kind::Flux2),
    ("ChromaTransformer2DModel", Kind::Chroma),
    // Cosmos-Predict2's, whose own pipelines are refused by their index.
    ("CosmosTransformer3DModel", Kind::Anima),
    ("QwenImageTransformer2DModel", Kind::QwenImage),
];

/// The name of the published tiny autoencoder (TAESD) that decodes a model's latents: those of Stable Diffusion 1 and 2, or
/// of SDXL. `None` for the bundled model, whose latents are its own.
pub fn tiny_vae_name(source: &ModelSource) -> Option<&'static str> {
    match (source, detect(source)) {
        (ModelSource::Bytes(_), _) => None,
        (_, Kind::StableDiffusion) => Some("taesd"),
        (_, Kind::Sdxl) => Some("taesdxl"),
        _ => None,
    }
}

/// The family of a model, by the files that it has, and by the class of its transformer if it has one. Otherwise their content
/// is not read or checked.
pub(crate) fn detect(source: &ModelSource) -> Kind {
    let transformer =
        source.has(TRANSFORMER_CONFIG).then(|| ConfigFile::open(source, TRANSFORMER_CONFIG).ok());
    let class =
        transformer.flatten().and_then(|config| Some(config.get("_class_name")?.as_str()?.to_owned()));
    if let Some((_, kind)) = TRANSFORMERS.iter().find(|(name, _)| class.as_deref() == Some(*name)) {
        return *kind;
    }
    if source.has(TEXT_2_CONFIG) { Kind::Sdxl } else { Kind::StableDiffusion }
}
