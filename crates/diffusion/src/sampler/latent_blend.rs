//! Repainting a part of a picture: what a mask does to latents.
//!
//! Two ways, by the model. An ordinary one knows nothing of masks: after every step, what may not move yet is set back
//! to the reference at that step's level of noise (diffusers' `StableDiffusionInpaintPipeline` with four channels), and
//! grey levels let a cell move later (differential diffusion, Levin and Fried, arXiv 2306.00950). One made for
//! inpainting is given the mask and what it leaves of the picture beside the latents, nine channels in all, and is
//! trusted with the rest. Not here: reading masks; encoding pictures.

use crate::families::stable_diffusion::Model;
use crate::image::mask;
use crate::image::mask::Mask;
use crate::image::reference;
use crate::image::reference::{Place, Posterior};
use crate::sampler::error::RenderError;
use crate::schedulers::Level;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::Settings;
use std::sync::Arc;

/// How a mask acts on a picture.
#[derive(Clone)]
pub(crate) enum Inpainting {
    /// The model does not see it: what may not move is held. One level for each latent cell.
    Held(Arc<[u8]>),
    /// The model sees it.
    Seen {
        /// `[1, 1, height, width]`, 1 where the picture is repainted.
        mask: Tensor,
        /// The picture with mid-grey where it is repainted.
        masked: Posterior,
    },
}

/// What names a cell's [`Inpainting`] among those of its model; `None` where nothing is masked.
pub(crate) fn key(settings: &Settings, model: &Model) -> Option<String> {
    let mask = settings.mask.as_ref().map(|mask| mask.digest);
    if mask.is_none() && !model.inpainting() {
        return None;
    }
    let picture = settings.init_image.as_ref().map(|picture| picture.digest);
    let Place { fit, width, height } = Place::of(settings);
    Some(format!("{mask:?} {picture:?} {fit} {width} {height}"))
}

/// Reads a cell's mask and, for a model that sees it, encodes what it leaves of the picture.
///
/// Such a model knows only black and white: greys are cut at half. Without a mask it repaints everything.
pub(crate) fn prepare(
    settings: &Settings,
    model: &Model,
    dtype: DType,
    device: &Device,
) -> std::result::Result<Inpainting, RenderError> {
    let Some(picture) = &settings.init_image else {
        return Err(RenderError::NoPicture { model: settings.model.to_string() });
    };
    let place = Place::of(settings);
    let Place { fit, width, height } = place;
    let mask = match &settings.mask {
        Some(mask) => mask::fitted(&mask.file, &picture.file, fit, width, height)?,
        None => Mask::white(width, height),
    };
    let factor = model.vae.factor();
    if !model.inpainting() {
        return Ok(Inpainting::Held(mask.cells(factor).into()));
    }
    let mask = mask.cut_at_half();
    let share = |levels: &[u8], height: usize, width: usize| {
        let values: Vec<f32> = levels.iter().map(|&level| f32::from(level) / 255.0).collect();
        Tensor::from_vec(values, (1, 1, height, width), device)
    };
    let (width, height) = (width as usize, height as usize);
    let pixels = reference::pixels(&picture.file, place, dtype, device)?;
    let kept = (1.0 - share(mask.levels(), height, width)?)?.to_dtype(dtype)?;
    Ok(Inpainting::Seen {
        masked: Posterior::of(&model.vae, &pixels.broadcast_mul(&kept)?)?,
        mask: share(&mask.cells(factor), height / factor, width / factor)?,
    })
}

/// A reference that holds what may not move yet.
pub(crate) struct Held {
    /// The first step that may move each latent cell; the number of steps for never.
    starts: Vec<usize>,
    /// The reference's latents, `[1, channels, height, width]`, and the noise they are given.
    image: Tensor,
    noise: Tensor,
}

/// The first of `steps` steps that may move a cell of that level: never for 0, from step 0 on for 255, and
/// between them as image-to-image with `level / 255` of the strength would start it.
fn start(level: u8, steps: usize) -> usize {
    steps - steps * usize::from(level) / 255
}

impl Held {
    pub fn new(levels: &[u8], steps: usize, image: Tensor, noise: Tensor) -> Held {
        Held { starts: levels.iter().map(|&level| start(level, steps)).collect(), image, noise }
    }

    /// The latents after a step, cells that may not have moved in it set back to the reference.
    ///
    /// `level` is that of the next step; `None` after the last: what never moves is the reference to the bit.
    pub fn hold(&self, latents: &Tensor, step: usize, level: Option<Level>) -> Result<Tensor> {
        let reference = match level {
            Some(Level { image, noise }) => ((&self.image * image)? + (&self.noise * noise)?)?,
            None => self.image.clone(),
        };
        let held: Vec<u8> = self.starts.iter().map(|&start| u8::from(start > step)).collect();
        let (_, _, height, width) = latents.dims4()?;
        let held = Tensor::from_vec(held, (1, 1, height, width), latents.device())?;
        held.broadcast_as(latents.shape())?.where_cond(&reference, latents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_starts_to_move_by_its_level() {
        for steps in [1, 2, 7, 29, 50, 1000] {
            assert_eq!(start(0, steps), steps, "black never moves");
            assert_eq!(start(255, steps), 0, "white moves from the first step");
            let starts: Vec<usize> = (0..=255).map(|level| start(level, steps)).collect();
            assert!(starts.is_sorted_by(|a, b| a >= b), "brighter moves no later: {starts:?}");
        }
        for (level, steps, expected) in [(51, 10, 8), (102, 10, 6), (127, 10, 6), (128, 10, 5), (254, 10, 1)]
        {
            assert_eq!(start(level, steps), expected, "{level} of {steps}");
        }
    }

    fn held(levels: &[u8], steps: usize) -> Held {
        let tensor = |from: f32| {
            let values: Vec<f32> = (0..2 * levels.len()).map(|i| from + i as f32 / 7.0).collect();
            Tensor::from_vec(values, (1, 2, 1, levels.len()), &Device::Cpu).unwrap()
        };
        Held::new(levels, steps, tensor(0.1), tensor(-3.0))
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn what_may_not_move_is_the_reference_and_the_rest_is_left_alone() {
        let held = held(&[0, 128, 255], 4);
        let latents = Tensor::full(9.0f32, (1, 2, 1, 3), &Device::Cpu).unwrap();
        let moved = |step, level| {
            values(&held.hold(&latents, step, level).unwrap()).iter().map(|&v| v == 9.0).collect::<Vec<_>>()
        };
        let level = Some(Level { image: 0.6, noise: 0.8 });
        assert_eq!(moved(0, level), [[false, false, true]; 2].concat());
        assert_eq!(moved(1, level), [[false, false, true]; 2].concat());
        assert_eq!(moved(2, level), [[false, true, true]; 2].concat());
        assert_eq!(moved(3, None), [[false, true, true]; 2].concat());
        let between = values(&held.hold(&latents, 0, level).unwrap());
        let (image, noise) = (values(&held.image), values(&held.noise));
        assert!((between[0] - (0.6 * image[0] + 0.8 * noise[0])).abs() < 1e-6);
    }

    #[test]
    fn what_never_moves_ends_as_the_reference_to_the_bit() {
        let held = held(&[0, 1, 0, 255], 50);
        let latents = Tensor::full(f32::NAN, (1, 2, 1, 4), &Device::Cpu).unwrap();
        let last = values(&held.hold(&latents, 49, None).unwrap());
        let image = values(&held.image);
        for cell in [0, 1, 2, 4, 5, 6] {
            assert_eq!(last[cell].to_bits(), image[cell].to_bits());
        }
        assert!(last[3].is_nan() && last[7].is_nan());
    }
}
