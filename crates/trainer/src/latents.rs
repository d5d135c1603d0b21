//! Pictures as the UNet sees them: resized, cropped and mirrored, then encoded once by the autoencoder.

use crate::draws::View;
use crate::error::TrainError;
use crate::network::{DTYPE, Network, Sizes};
use candle_core::{Device, Result, Tensor};
use maquette_core::{Fit, Image};
use maquette_diffusion::from_image;
use maquette_diffusion::init_image::{Margin, fit};
use std::collections::BTreeMap;

/// How many encoded views are kept; one of 512 x 512 takes 130 kB.
const KEPT: usize = 1024;

/// The pictures of the subject, or those of the class.
pub(crate) struct Pictures {
    list: Vec<Resized>,
    /// Width and height of a view.
    size: (u32, u32),
    encoded: BTreeMap<View, Encoded>,
    device: Device,
}

/// A picture that covers the resolution, with its edge of one axis.
struct Resized {
    image: Image,
    mask: Option<Image>,
    /// Height and width of the original.
    original: (u32, u32),
}

/// A view, encoded.
#[derive(Clone)]
pub(crate) struct Encoded {
    /// `[1, channels, h, w]`, not scaled.
    pub mean: Tensor,
    /// Of the same shape; `None` if the latents are the mean.
    pub deviation: Option<Tensor>,
    /// What the loss of each latent pixel counts, `[1, 1, h, w]`, 1 on average; `None` if all count the same.
    pub weights: Option<Tensor>,
    pub sizes: Sizes,
}

impl Pictures {
    /// Resizes pictures, with their masks, so that they just cover `size`.
    pub fn new<'a>(
        pictures: impl Iterator<Item = (&'a Image, Option<&'a Image>)>,
        size: (u32, u32),
        device: &Device,
    ) -> std::result::Result<Pictures, TrainError> {
        let resized = |(image, mask): (&Image, Option<&Image>)| {
            let (width, height) = covering(image, size);
            Ok(Resized {
                image: fit(image, Fit::Stretch, Margin::Mean, width, height)?,
                mask: mask.map(|mask| fit(mask, Fit::Stretch, Margin::Mean, width, height)).transpose()?,
                original: (image.height(), image.width()),
            })
        };
        let list = pictures.map(resized).collect::<std::result::Result<_, TrainError>>()?;
        Ok(Pictures { list, size, encoded: BTreeMap::new(), device: device.clone() })
    }

    /// How many rows and columns a view of each picture leaves out.
    pub fn cut(&self) -> Vec<(u32, u32)> {
        let (width, height) = self.size;
        self.list.iter().map(|it| (it.image.height() - height, it.image.width() - width)).collect()
    }

    /// A view, encoded now or before.
    pub fn view(&mut self, view: View, network: &Network) -> Result<Encoded> {
        if let Some(encoded) = self.encoded.get(&view) {
            return Ok(encoded.clone());
        }
        let Resized { image, mask, original } = &self.list[view.picture];
        let pixels = from_image(&part(image, view, self.size), DTYPE, &self.device)?;
        let (mean, logvar) = network.vae().encode(&pixels)?;
        let ((width, height), (top, left)) = (self.size, view.corner);
        let sizes = [original.0, original.1, top, left, height, width].map(|pixels| pixels as f32);
        let factor = network.vae().factor();
        let weights = mask.as_ref().map(|mask| weights(&part(mask, view, self.size), factor, &self.device));
        let encoded = Encoded {
            mean: mean.to_dtype(DTYPE)?.detach(),
            deviation: logvar
                .map(|logvar| (logvar.to_dtype(DTYPE)? * 0.5)?.exp())
                .transpose()?
                .map(|it| it.detach()),
            weights: weights.transpose()?,
            sizes,
        };
        if self.encoded.len() < KEPT {
            self.encoded.insert(view, encoded.clone());
        }
        Ok(encoded)
    }
}

/// The size of a picture that covers `size` with one edge exactly.
fn covering(image: &Image, (width, height): (u32, u32)) -> (u32, u32) {
    let scale =
        f64::max(f64::from(width) / f64::from(image.width()), f64::from(height) / f64::from(image.height()));
    let edge = |length: u32, least: u32| ((f64::from(length) * scale).round() as u32).max(least);
    (edge(image.width(), width), edge(image.height(), height))
}

/// The view's part of a picture, mirrored if the view is.
fn part(image: &Image, view: View, (width, height): (u32, u32)) -> Image {
    let (top, left) = view.corner;
    let mut rgb = Vec::with_capacity(3 * (width * height) as usize);
    for y in top..top + height {
        for x in 0..width {
            let x = left + if view.flipped { width - 1 - x } else { x };
            let at = 3 * (y as usize * image.width() as usize + x as usize);
            rgb.extend_from_slice(&image.rgb()[at..at + 3]);
        }
    }
    // Three bytes for each pixel.
    Image::new(width, height, rgb).unwrap_or_else(|| image.clone())
}

/// The means of a mask's levels in each latent pixel, divided by their mean; zeros if the mask is black in this view.
fn weights(mask: &Image, factor: usize, device: &Device) -> Result<Tensor> {
    let (width, height) = (mask.width() as usize / factor, mask.height() as usize / factor);
    let mut sums = vec![0f32; width * height];
    for (i, pixel) in mask.rgb().chunks_exact(3).enumerate() {
        let (x, y) = (i % mask.width() as usize, i / mask.width() as usize);
        let level = pixel.iter().map(|&level| f32::from(level)).sum::<f32>() / 3.0;
        sums[y / factor * width + x / factor] += level;
    }
    let mean = sums.iter().sum::<f32>() / sums.len() as f32;
    let weights = sums.into_iter().map(|sum| if mean == 0.0 { 0.0 } else { sum / mean }).collect();
    Tensor::from_vec::<_, f32>(weights, (1, 1, height, width), device)
}
