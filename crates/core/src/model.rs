//! What a plan must know of the world: the models, pictures and weight files that the settings name.

use crate::{Digest, Scheduler, Sigmas, Spacing};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a model says of itself before it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// BLAKE3 over the content of every file that the engine would load.
    pub fingerprint: Digest,
    /// The size it was trained at, in pixels: the default of `width` and `height`.
    pub size: (u32, u32),
    /// Width and height must be multiples of this many pixels.
    pub multiple_of: u32,
    /// The scheduler its own configuration names.
    pub scheduler: Scheduler,
    /// The spacing of timesteps that its configuration names; the scheduler's own where it names none.
    pub spacing: Option<Spacing>,
    /// The spacing of noise levels that its configuration names.
    pub sigmas: Option<Sigmas>,
    /// Whether it was made to repaint pictures: its UNet sees a mask and what it leaves of a picture.
    #[serde(default)]
    pub inpainting: bool,
    /// Whether it comes with a safety checker.
    #[serde(default)]
    pub safety_checker: bool,
    /// BLAKE3 over the safety checker's files, where a cell asks for it: a part of that cell's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_checker_weights: Option<Digest>,
}

/// A file that some setting names: what it holds, and where it lies now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundFile {
    /// Where to read it. No part of a cell's name, and not kept in a plan on disk: it is looked up again in each process.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub file: PathBuf,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
}

fn is_unknown(file: &Path) -> bool {
    file.as_os_str().is_empty()
}
