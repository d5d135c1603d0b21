//! Which cells share a call, how many, and the rows of the call.
//!
//! Rows of one call may have different prompts, timesteps, schedulers, strengths and guidance. Only model, autoencoder,
//! LoRAs, ControlNet, IP-Adapter, DeepCache, precision, size and the length of the prompts must match. Not here: calls that do
//! not fit in memory (`out_of_memory.rs`).

use crate::device::DeviceName;
use crate::families::family::{ControlRows, Family, Predicted, Rows};
use crate::models::unet::depth::Depth;
use crate::models::unet::ip_adapter::ImagePrompt;
use crate::sampler::control;
use crate::sampler::denoise_state::{DenoiseState, Reach};
use crate::sampler::image_prompt;
use crate::sampler::loaded_model::digest_of_vae;
use crate::weights::lora;
use candle_core::{Result, Tensor};
use maquette_core::{Dtype, Settings};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Latent pixels per call by default: two guided pictures of 512 pixels, or decoding four pictures.
const LATENTS_AT_ONCE: usize = 4 * 64 * 64;

/// Latent pixels in a call of the denoiser where memory allows: 16 rows at 512 pixels, with which a GPU is busy.
const LATENTS_AT_MOST: usize = 16 * 64 * 64;

/// Bytes that a latent pixel of a row takes in a call of the denoiser in half precision: about 0.25 GB for the 64 x 64 of
/// 512 pixels, with attention in chunks. An estimate, which running out of memory corrects.
const BYTES_PER_LATENT: u64 = 64 << 10;

/// Whether cells with these settings may share calls if there is room.
pub(super) fn can_share_calls(one: &Settings, other: &Settings) -> bool {
    other.model == one.model
        && other.dtype == one.dtype
        && lora::key(&other.lora) == lora::key(&one.lora)
        && digest_of_vae(other) == digest_of_vae(one)
        && control::digest(other) == control::digest(one)
        && image_prompt::digest(other) == image_prompt::digest(one)
        // Their calls would rarely reach as deep, and the time of a step is shared by rows.
        && other.deepcache() == one.deepcache()
        && (other.width, other.height) == (one.width, one.height)
}

/// The groups of states whose rows may share a call, as indices in `states`: their prompts have the same length, all or none
/// of them follow the ControlNet in this step, and as much of the denoiser is computed.
pub(super) fn groups(states: &[DenoiseState]) -> impl Iterator<Item = Vec<usize>> {
    let mut groups: BTreeMap<(usize, bool, Reach), Vec<usize>> = BTreeMap::new();
    for (at, state) in states.iter().enumerate() {
        groups.entry((state.tokens(), state.control().is_some(), state.reach())).or_default().push(at);
    }
    groups.into_values()
}

/// The denoiser's predictions for each state of a group in one call, for its rows.
pub(super) fn predict(family: &dyn Family, states: &[&DenoiseState]) -> Result<Vec<Predicted>> {
    let Some(first) = states.first() else { return Ok(Vec::new()) };
    let size = (first.cell.settings.height, first.cell.settings.width);
    let (mut latents, mut timesteps) = (Vec::new(), Vec::new());
    let (mut guidance_scales, mut prompts) = (Vec::new(), Vec::new());
    let (mut hints, mut scales) = (Vec::new(), Vec::new());
    let (mut shown, mut shown_scales) = (Vec::new(), Vec::new());
    for state in states {
        let (input, timestep) = state.input()?;
        for prompt in state.prompts() {
            latents.push(input.clone());
            timesteps.push(timestep);
            guidance_scales.push(state.cell.settings.guidance_scale);
            prompts.push(prompt);
            if let Some(control) = state.control() {
                hints.push(&control.hint);
                scales.push(control.scale);
            }
        }
        if let Some((image, tokens)) = state.image() {
            shown.extend(tokens);
            shown_scales.resize(shown.len(), image.scale as f32);
        }
    }
    let latents = Tensor::cat(&latents, 0)?;
    let control = match first.control() {
        Some(control) => Some(ControlRows { net: &control.net, hints: Tensor::cat(&hints, 0)?, scales }),
        None => None,
    };
    let image = match first.image() {
        Some((image, _)) => Some(ImagePrompt {
            adapter: &image.adapter,
            tokens: Tensor::cat(&shown, 0)?,
            scales: Tensor::from_vec(shown_scales, (shown.len(), 1, 1), latents.device())?,
        }),
        None => None,
    };
    let reused = match first.reach() {
        Reach::Shallow { .. } => {
            let features = states.iter().map(|state| state.features()).collect::<Result<Vec<_>>>()?;
            Some(Tensor::cat(&features, 0)?)
        }
        Reach::Whole | Reach::Keep { .. } => None,
    };
    let depth = match (first.reach(), &reused) {
        (Reach::Shallow { branch }, Some(features)) => Depth::Reuse { branch, features },
        (Reach::Keep { branch }, _) => Depth::Keep { branch },
        _ => Depth::Whole,
    };
    let rows = Rows { latents, timesteps, guidance_scales, prompts, depth, size, control, image };
    let Predicted { rows: predicted, features } = family.predict(&rows)?;
    let mut row = 0;
    let of_state = |state: &&DenoiseState| {
        let count = state.rows();
        // Copied, so that the other rows' features do not stay in memory with them.
        let own = |features: &Tensor| features.narrow(0, row, count)?.force_contiguous();
        let features = features.as_ref().map(own).transpose()?;
        let rows = predicted.narrow(0, row, count)?;
        row += count;
        Ok(Predicted { rows, features })
    };
    states.iter().map(of_state).collect()
}

/// What the memory of a row depends on: model, precision, width, height.
type Size = (Arc<str>, Dtype, u32, u32);

fn size(settings: &Settings) -> Size {
    (Arc::clone(&settings.model), settings.dtype, settings.width, settings.height)
}

/// How large a call may be. Larger calls use a device better and take more memory.
pub(super) struct Limits {
    device: DeviceName,
    /// The most rows of a call of the denoiser; `None` chooses by size.
    rows: Option<usize>,
    /// The most pictures that are decoded in one call; `None` chooses by device and size.
    pub pictures: Option<usize>,
    /// Free bytes on the device besides the loaded model, if known.
    pub free_memory: Option<u64>,
    /// Whether weights that do not fit are read for each call.
    pub offload: bool,
    /// Smaller bounds, found by running out of memory.
    fitting_rows: HashMap<Size, usize>,
    fitting_pictures: HashMap<Size, usize>,
}

impl Limits {
    pub fn new(device: DeviceName, rows: Option<usize>) -> Limits {
        Limits {
            device,
            rows,
            pictures: None,
            free_memory: None,
            offload: false,
            fitting_rows: HashMap::new(),
            fitting_pictures: HashMap::new(),
        }
    }

    /// Forgets the bounds found by running out of memory.
    pub fn reset(&mut self) {
        self.fitting_rows.clear();
        self.fitting_pictures.clear();
    }

    /// How many rows one call of the denoiser may have.
    ///
    /// By default, as many as fit in the free memory, if that is known, up to those that keep a GPU busy. A 512-pixel
    /// picture of Stable Diffusion has 64 x 64 latent pixels.
    pub fn rows(&self, settings: &Settings, family: &dyn Family) -> usize {
        let latents = latents(settings, family);
        let own = self.rows.unwrap_or_else(|| match self.free_memory {
            Some(free) => rows_in(free, latents, settings.dtype),
            None => (LATENTS_AT_ONCE / latents).clamp(2, 16),
        });
        self.fitting_rows.get(&size(settings)).map_or(own, |&fitting| fitting.min(own))
    }

    /// How many pictures one call may decode.
    ///
    /// The CPU's kernels compute one picture on all cores, so that more at a time only take more memory and delay the
    /// first one. A single picture does not keep a GPU busy.
    pub fn pictures(&self, settings: &Settings, family: &dyn Family) -> usize {
        let own = self.pictures.unwrap_or_else(|| match self.device {
            DeviceName::Cpu => 1,
            DeviceName::Cuda(_) | DeviceName::Metal => {
                (LATENTS_AT_ONCE / latents(settings, family)).clamp(1, 8)
            }
        });
        self.fitting_pictures.get(&size(settings)).map_or(own, |&fitting| fitting.min(own))
    }

    /// The bytes that calls for pictures with these settings take, for weights to leave free: those of the largest picture with
    /// guidance, or of as many rows as the caller requested.
    pub fn reserve<'a>(&self, pictures: impl Iterator<Item = &'a Settings>) -> u64 {
        let rows = self.rows.unwrap_or(2) as u64;
        // Models differ in their latent pixels; these are the smallest that one of them has.
        let latents = |settings: &Settings| settings.width as usize * settings.height as usize / 64;
        let bytes = pictures.map(|settings| rows * bytes_of_row(latents(settings), settings.dtype));
        bytes.max().unwrap_or(0).div_ceil(3) * 4
    }

    /// Remembers that a call of the denoiser with more rows does not fit.
    pub fn lower_rows(&mut self, settings: &Settings, fitting: usize) {
        self.fitting_rows.insert(size(settings), fitting);
    }

    /// Remembers that a call that decodes more pictures does not fit.
    pub fn lower_pictures(&mut self, settings: &Settings, fitting: usize) {
        self.fitting_pictures.insert(size(settings), fitting);
    }

    /// Whether the caller requested no more rows than a guided picture has.
    pub fn is_least(&self) -> bool {
        self.rows.is_some_and(|rows| rows <= 2)
    }
}

/// The bytes that a row of a picture with that many latent pixels takes.
fn bytes_of_row(latents: usize, dtype: Dtype) -> u64 {
    let each = match dtype {
        Dtype::F32 => 2 * BYTES_PER_LATENT,
        Dtype::F16 | Dtype::Bf16 => BYTES_PER_LATENT,
    };
    each * latents as u64
}

/// How many rows of pictures with that many latent pixels a call may have with that many free bytes.
fn rows_in(free: u64, latents: usize, dtype: Dtype) -> usize {
    // A quarter stays free: for decoding, for the other states, and because memory is fragmented.
    let fitting = free / 4 * 3 / bytes_of_row(latents, dtype);
    (fitting as usize).min(LATENTS_AT_MOST / latents).clamp(2, 32)
}

/// Latent pixels of a picture, at least 1.
fn latents(settings: &Settings, family: &dyn Family) -> usize {
    let factor = family.factor();
    ((settings.width as usize / factor) * (settings.height as usize / factor)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_core::test_plans;

    /// As many rows as the weights leave room for fit into the memory that they leave.
    #[test]
    fn the_reserve_is_that_of_the_largest_picture() {
        let check = |rows: Option<usize>, sizes: &[u32], dtype: Dtype| {
            let pictures: Vec<Settings> = sizes
                .iter()
                .map(|&edge| Settings { width: edge, height: edge, dtype, ..test_plans::cell().settings })
                .collect();
            let reserve = Limits::new(DeviceName::Cpu, rows).reserve(pictures.iter());
            let largest = sizes.iter().copied().max().unwrap_or(8) as usize;
            (reserve, rows_in(reserve, (largest / 8) * (largest / 8), dtype))
        };
        assert_eq!(check(None, &[], Dtype::F16).0, 0);
        assert_eq!(check(None, &[512], Dtype::F16), ((2_u64 << 28).div_ceil(3) * 4, 2));
        assert_eq!(check(None, &[512, 1024, 256], Dtype::F32), ((16_u64 << 28).div_ceil(3) * 4, 2));
        assert_eq!(check(Some(8), &[512], Dtype::Bf16).1, 8);
    }

    #[test]
    fn rows_depend_on_free_memory_size_and_precision() {
        let check = |gib: u64, edge: usize, dtype: Dtype, expected: usize| {
            let rows = rows_in(gib << 30, (edge / 8) * (edge / 8), dtype);
            assert_eq!(rows, expected, "{gib} GiB, {edge} pixels, {dtype}");
        };
        for gib in [6, 24, 80] {
            check(gib, 512, Dtype::F16, 16);
        }
        check(3, 512, Dtype::F16, 9);
        check(3, 512, Dtype::F32, 4);
        check(1, 512, Dtype::Bf16, 3);
        check(80, 768, Dtype::F16, 7);
        check(80, 1024, Dtype::F16, 4);
        check(3, 1024, Dtype::F16, 2);
        check(80, 256, Dtype::F16, 32);
        // A guided picture always has a call.
        check(0, 512, Dtype::F16, 2);
        check(80, 2048, Dtype::F32, 2);
    }
}
