//! How much memory a model's weights take, from the headers of its files.

use crate::device::{DeviceName, candle_dtype};
use crate::error::ModelError;
use crate::families::detect::{Kind, detect};
use crate::families::flux1::Flux1;
use crate::families::flux2::Flux2;
use crate::families::other_kinds;
use crate::families::sdxl::Sdxl;
use crate::families::stable_diffusion::StableDiffusion;
use crate::families::stable_diffusion_3::StableDiffusion3;
use crate::families::z_image::ZImage;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use crate::weights::tally::{PartSize, Tally};
use candle_core::Device;
use maquette_core::Dtype;
use maquette_kernels::{reference, select};

/// How much memory a model's weights take, without what pictures take and without the tables of words, which stay in their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSize {
    /// Its parts, each with the weights that are read.
    pub parts: Vec<PartSize>,
    /// Whether text encoders and denoiser are not in memory at the same time.
    pub takes_turns: bool,
}

impl ModelSize {
    /// The most bytes that are in memory at once.
    pub fn at_once(&self) -> u64 {
        let sum = |wanted: fn(&str) -> bool| -> u64 {
            self.parts.iter().filter(|part| wanted(&part.part)).map(|part| part.memory).sum()
        };
        let text = sum(|part| part.starts_with("text_encoder"));
        let denoiser = sum(|part| matches!(part, "unet" | "transformer"));
        let both = if self.takes_turns { text.max(denoiser) } else { text + denoiser };
        both + sum(|part| part == "vae")
    }
}

/// How much memory a model's weights take on a device in `dtype`. Only headers, configurations and tokenizers are read. Fails as
/// loading the model would, if names or shapes are wrong.
pub fn model_size(source: &ModelSource, device: DeviceName, dtype: Dtype) -> Result<ModelSize, ModelError> {
    let (tally, cpu, dtype) = (Tally::default(), Device::Cpu, candle_dtype(dtype));
    let kernels = if device == DeviceName::Cpu { select(&cpu, dtype) } else { reference() };
    let options = &LoadOptions::new(&cpu, dtype).with_kernels(kernels).tallied(&tally);
    other_kinds::refuse(source)?;
    let kind = detect(source);
    match kind {
        Kind::StableDiffusion => drop(StableDiffusion::load_with(source, options)?),
        Kind::Sdxl => drop(Sdxl::load_with(source, options)?),
        Kind::ZImage => drop(ZImage::load_with(source, options)?),
        Kind::StableDiffusion3 => drop(StableDiffusion3::load_with(source, options)?),
        Kind::Flux1 => drop(Flux1::load_with(source, options)?),
        Kind::Flux2 => drop(Flux2::load_with(source, options)?),
    }
    let takes_turns = kind.family().is_flow();
    Ok(ModelSize { parts: tally.into_parts(), takes_turns })
}
