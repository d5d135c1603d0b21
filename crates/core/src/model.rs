//! What a plan stores about the models, pictures and weight files that the settings name.

use crate::{Digest, Scheduler, Sigmas, Spacing};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The properties of a model that are known before it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// BLAKE3 over the content of every file that the engine would load.
    pub fingerprint: Digest,
    /// The size it was trained at, in pixels: the default of `width` and `height`.
    pub size: (u32, u32),
    /// Width and height must be multiples of this many pixels.
    pub multiple_of: u32,
    /// The scheduler that its configuration names.
    pub scheduler: Scheduler,
    /// The spacing of timesteps that its configuration names; `None` for the scheduler's default.
    pub spacing: Option<Spacing>,
    /// The spacing of noise levels that its configuration names, if any.
    pub sigmas: Option<Sigmas>,
    /// Whether it is an inpainting model: its UNet also takes a mask and the masked picture.
    #[serde(default)]
    pub inpainting: bool,
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

fn is_unknown(file: &Path) -> bool {
    file.as_os_str().is_empty()
}
