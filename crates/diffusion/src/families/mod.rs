//! The families of models: which networks they have, and how these work together.
//!
//! The sampler uses only [`Family`], not the networks behind it. A new family is a file here, a variant of
//! [`detect::Kind`] and an arm of [`load`].

mod adapters;
mod anima;
pub(crate) mod card;
mod chroma;
pub(crate) mod controlnet;
pub(crate) mod detect;
pub(crate) mod error;
pub(crate) mod family;
pub(crate) mod files;
mod flow;
mod flux1;
mod flux2;
pub(crate) mod ip_adapter;
pub(crate) mod note;
mod other_kinds;
mod parts;
#[cfg(test)]
mod published_tests;
mod qwen_image;
mod scheduler;
pub(crate) mod sdxl;
pub(crate) mod sizes;
pub(crate) mod stable_diffusion;
mod stable_diffusion_3;
#[cfg(test)]
mod test_values;
pub(crate) mod vocabulary;
mod z_image;

use crate::error::ModelError;
use crate::weights::load_options::LoadOptions;
use crate::weights::source::ModelSource;
use anima::Anima;
use chroma::Chroma;
use detect::{Kind, detect};
use family::Family;
use flux1::Flux1;
use flux2::Flux2;
use qwen_image::QwenImage;
use sdxl::Sdxl;
use stable_diffusion::StableDiffusion;
use stable_diffusion_3::StableDiffusion3;
use z_image::ZImage;

/// Loads every part of a model.
pub(crate) fn load(source: &ModelSource, options: &LoadOptions) -> Result<Box<dyn Family>, ModelError> {
    Ok(match kind(source)? {
        Kind::StableDiffusion => Box::new(StableDiffusion::load_with(source, options)?),
        Kind::Sdxl => Box::new(Sdxl::load_with(source, options)?),
        Kind::ZImage => Box::new(ZImage::load_with(source, options)?),
        Kind::StableDiffusion3 => Box::new(StableDiffusion3::load_with(source, options)?),
        Kind::Flux1 => Box::new(Flux1::load_with(source, options)?),
        Kind::Flux2 => Box::new(Flux2::load_with(source, options)?),
        Kind::Chroma => Box::new(Chroma::load_with(source, options)?),
        Kind::Anima => Box::new(Anima::load_with(source, options)?),
        Kind::QwenImage => Box::new(QwenImage::load_with(source, options)?),
    })
}

/// The family of a model; an error if it is of a kind that the engine cannot run.
pub fn kind(source: &ModelSource) -> Result<Kind, ModelError> {
    other_kinds::refuse(source)?;
    Ok(detect(source))
}
