//! What a plan stores about the models, pictures and weight files that the settings name.

use crate::{Digest, ModelFamily, PredictionType, Scheduler, Sigmas, Spacing};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The properties of a model that are known before it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// BLAKE3 over the content of every file that the engine would load.
    pub fingerprint: Digest,
    /// Its family; plans of older versions have only the first.
    #[serde(default = "first_family", skip_serializing_if = "is_first_family")]
    pub family: ModelFamily,
    /// The size it was trained at, in pixels: the default of `width` and `height`.
    pub size: (u32, u32),
    /// Width and height must be multiples of this many pixels.
    pub multiple_of: u32,
    /// The version of the rules by which its files are read. It is above 1 for the models whose pictures differ under those
    /// rules from those of version 1, and then a part of a cell's name.
    #[serde(default = "first_reading", skip_serializing_if = "is_first_reading")]
    pub reading: u32,
    /// The scheduler that its configuration names; `None` if that is not supported.
    pub scheduler: Option<Scheduler>,
    /// The class of diffusers that its configuration names, if it is not supported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_class: Option<String>,
    /// The spacing of timesteps that its configuration names; `None` for the scheduler's default.
    pub spacing: Option<Spacing>,
    /// The spacing of noise levels that its configuration names, if any.
    pub sigmas: Option<Sigmas>,
    /// How far it moves the steps of flow towards the noise: the default of `shift`. `None` if it computes that from the
    /// picture's size, and for models that do not predict flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<f64>,
    /// Its default of `steps`; `None` for the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Its default of `guidance_scale`; `None` for the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_scale: Option<f64>,
    /// What its UNet predicts; `None` in plans of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_type: Option<PredictionType>,
    /// Whether the last timestep of its training is pure noise; `None` in plans of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_snr: Option<bool>,
    /// Whether it is an inpainting model: its UNet also takes a mask and the masked picture.
    #[serde(default)]
    pub inpainting: bool,
    /// Whether its UNet takes the guidance scale as an input, as those of latent consistency models do. There is then no
    /// classifier-free guidance, except for composed prompts, and every scale has an effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guidance_embedding: bool,
    /// Whether it comes with a safety checker.
    #[serde(default)]
    pub safety_checker: bool,
    /// BLAKE3 over the safety checker's files, if a cell uses it: a part of that cell's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_checker_weights: Option<Digest>,
}

/// A file that a setting names: its digest and its current path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundFile {
    /// The path to read it from. Not part of a cell's name and not stored in a plan on disk: each process looks it up again.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub file: PathBuf,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
}

fn first_family() -> ModelFamily {
    ModelFamily::StableDiffusion
}

fn is_first_family(family: &ModelFamily) -> bool {
    *family == first_family()
}

fn first_reading() -> u32 {
    1
}

fn is_first_reading(version: &u32) -> bool {
    *version == first_reading()
}

fn is_unknown(file: &Path) -> bool {
    file.as_os_str().is_empty()
}
