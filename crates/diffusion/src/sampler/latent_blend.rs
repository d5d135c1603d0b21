//! Repainting a part of a picture: how a mask affects latents.
//!
//! There are two ways, depending on the model. An ordinary model takes no mask: after every step, latent pixels that may
//! not change yet are reset to the reference at that step's noise level (diffusers' `StableDiffusionInpaintPipeline` with
//! four channels), and grey levels let a latent pixel change later (differential diffusion, Levin and Fried, arXiv
//! 2306.00950). An inpainting model has the mask and the latents of the picture without the masked part as additional
//! input. Not here: reading masks.

use crate::families::error::RenderError;
use crate::families::family::Family;
use crate::image::mask::Mask;
use crate::image::posterior::Posterior;
use crate::image::reference::Place;
use crate::image::{mask, pixels, reference};
use crate::schedulers::Level;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::Settings;
use std::sync::Arc;

/// How a mask is applied to a picture.
#[derive(Clone)]
pub(super) enum Inpainting {
    /// Parts of the latents are reset to the reference: one level per latent pixel.
    Blend(Arc<[u8]>),
    /// The model takes the mask.
    Condition(MaskConditioning),
}

/// The additional input of an inpainting model.
#[derive(Clone)]
pub(super) struct MaskConditioning {
    /// `[1, 1, height, width]`, 1 where the picture is repainted.
    pub mask: Tensor,
    /// The picture, mid-grey where it is repainted.
    pub masked: Posterior,
}

/// The cache key of a cell's [`Inpainting`] with its model; `None` if nothing is masked.
pub(super) fn key(settings: &Settings, family: &dyn Family) -> Option<String> {
    let mask = settings.mask.as_ref().map(|mask| mask.digest);
    if mask.is_none() && !family.is_inpainting() {
        return None;
    }
    let picture = settings.init_image.as_ref().map(|picture| picture.digest);
    let Place { fit, width, height } = Place::of(settings);
    Some(format!("{mask:?} {picture:?} {fit} {width} {height}"))
}

/// Reads a cell's mask and, for an inpainting model, encodes the rest of the picture.
///
/// For an inpainting model the mask is black and white: greys are thresholded. Without a mask everything is repainted.
pub(super) fn prepare(
    settings: &Settings,
    family: &dyn Family,
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
    let factor = family.factor();
    if !family.is_inpainting() {
        return Ok(Inpainting::Blend(mask.cells(factor).into()));
    }
    let mask = mask.thresholded();
    let fractions = |levels: &[u8], height: usize, width: usize| {
        let values: Vec<f32> = levels.iter().map(|&level| f32::from(level) / 255.0).collect();
        Tensor::from_vec(values, (1, 1, height, width), device)
    };
    let (width, height) = (width as usize, height as usize);
    let pixels = pixels::from_image(&reference::open(&picture.file, place)?, dtype, device)?;
    let kept = (1.0 - fractions(mask.levels(), height, width)?)?.to_dtype(dtype)?;
    Ok(Inpainting::Condition(MaskConditioning {
        masked: family.encode(&pixels.broadcast_mul(&kept)?)?,
        mask: fractions(&mask.cells(factor), height / factor, width / factor)?,
    }))
}

/// Resets parts of the latents to a reference.
pub(super) struct LatentBlend {
    /// The first step that may change each latent pixel, `[1, 1, height, width]`; the number of steps for never.
    starts: Tensor,
    /// The reference's latents, `[1, channels, height, width]`, and the noise that is added to them.
    image: Tensor,
    noise: Tensor,
}

/// The first of `steps` steps that may change a latent pixel of this level: never for 0, step 0 for 255, and in between
/// where image-to-image with `level / 255` of the strength would start.
fn start(level: u8, steps: usize) -> usize {
    steps - steps * usize::from(level) / 255
}

impl LatentBlend {
    /// `levels` has one level per latent pixel of `image` and `noise`, `[1, channels, height, width]`.
    pub fn new(levels: &[u8], steps: usize, image: Tensor, noise: Tensor) -> Result<LatentBlend> {
        let starts: Vec<u32> = levels.iter().map(|&level| start(level, steps) as u32).collect();
        let (_, _, height, width) = image.dims4()?;
        let starts = Tensor::from_vec(starts, (1, 1, height, width), image.device())?;
        Ok(LatentBlend { starts, image, noise })
    }

    /// The latents after a step; latent pixels that it may not change are reset to the reference.
    ///
    /// `level` is that of the next step; `None` after the last one, where the reference is restored to the bit.
    pub fn blend(&self, latents: &Tensor, step: usize, level: Option<Level>) -> Result<Tensor> {
        let reference = match level {
            Some(Level { image, noise }) => ((&self.image * image)? + (&self.noise * noise)?)?,
            None => self.image.clone(),
        };
        let kept = self.starts.gt(step as u32)?;
        kept.broadcast_as(latents.shape())?.where_cond(&reference, latents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_determines_the_first_step() {
        for steps in [1, 2, 7, 29, 50, 1000] {
            assert_eq!(start(0, steps), steps, "black never changes");
            assert_eq!(start(255, steps), 0, "white changes from the first step");
            let starts: Vec<usize> = (0..=255).map(|level| start(level, steps)).collect();
            assert!(starts.is_sorted_by(|a, b| a >= b), "brighter changes no later: {starts:?}");
        }
        for (level, steps, expected) in [(51, 10, 8), (102, 10, 6), (127, 10, 6), (128, 10, 5), (254, 10, 1)]
        {
            assert_eq!(start(level, steps), expected, "{level} of {steps}");
        }
    }

    fn blend_of(levels: &[u8], steps: usize) -> LatentBlend {
        let tensor = |from: f32| {
            let values: Vec<f32> = (0..2 * levels.len()).map(|i| from + i as f32 / 7.0).collect();
            Tensor::from_vec(values, (1, 2, 1, levels.len()), &Device::Cpu).unwrap()
        };
        LatentBlend::new(levels, steps, tensor(0.1), tensor(-3.0)).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn only_pixels_that_may_not_change_are_reset() {
        let blend = blend_of(&[0, 128, 255], 4);
        let latents = Tensor::full(9.0f32, (1, 2, 1, 3), &Device::Cpu).unwrap();
        let changed = |step, level| {
            values(&blend.blend(&latents, step, level).unwrap()).iter().map(|&v| v == 9.0).collect::<Vec<_>>()
        };
        let level = Some(Level { image: 0.6, noise: 0.8 });
        assert_eq!(changed(0, level), [[false, false, true]; 2].concat());
        assert_eq!(changed(1, level), [[false, false, true]; 2].concat());
        assert_eq!(changed(2, level), [[false, true, true]; 2].concat());
        assert_eq!(changed(3, None), [[false, true, true]; 2].concat());
        let between = values(&blend.blend(&latents, 0, level).unwrap());
        let (image, noise) = (values(&blend.image), values(&blend.noise));
        assert!((between[0] - (0.6 * image[0] + 0.8 * noise[0])).abs() < 1e-6);
    }

    #[test]
    fn black_pixels_end_as_the_reference_to_the_bit() {
        let blend = blend_of(&[0, 1, 0, 255], 50);
        let latents = Tensor::full(f32::NAN, (1, 2, 1, 4), &Device::Cpu).unwrap();
        let last = values(&blend.blend(&latents, 49, None).unwrap());
        let image = values(&blend.image);
        for cell in [0, 1, 2, 4, 5, 6] {
            assert_eq!(last[cell].to_bits(), image[cell].to_bits());
        }
        assert!(last[3].is_nan() && last[7].is_nan());
    }
}
