//! Pictures as vectors without a model: the colours of a small, blurred picture.

use crate::Embedder;
use crate::ciede2000::lab;
use fast_image_resize::images::{Image as Resized, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use maquette_core::Image;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::sync::Arc;

/// The edge of the small picture.
const EDGE: u32 = 16;

/// The embedding `pixels`: the CIE Lab colours of the picture, blurred and shrunk to 16x16 pixels. A Euclidean distance is
/// the root mean square of the pixels' Delta E 1976.
pub struct Pixels;

impl Embedder for Pixels {
    fn name(&self) -> &'static str {
        "pixels"
    }

    fn about(&self) -> String {
        format!("colours of the picture blurred to {EDGE}x{EDGE} pixels, CIE Lab")
    }

    fn embed(&mut self, batch: &[Arc<Image>]) -> Result<Vec<Vec<f32>>, String> {
        let scale = 1.0 / f64::from(EDGE);
        let vector = |image: &Arc<Image>| {
            let rgb = shrink(image, EDGE).ok_or_else(|| "a picture has no pixels".to_owned())?;
            let colours = rgb.as_chunks().0.iter().map(|rgb| lab(*rgb));
            Ok(colours.flat_map(|lab| [lab.l, lab.a, lab.b].map(|x| (x * scale) as f32)).collect())
        };
        batch.par_iter().map(vector).collect()
    }
}

/// The picture at `edge` x `edge` pixels, whatever its aspect ratio, blurred by a Gaussian filter as wide as three of them.
/// `None` for a picture without pixels.
pub(crate) fn shrink(image: &Image, edge: u32) -> Option<Vec<u8>> {
    let source = ImageRef::new(image.width(), image.height(), image.rgb(), PixelType::U8x3).ok()?;
    let mut target = Resized::new(edge, edge, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Gaussian));
    Resizer::new().resize(&source, &mut target, &options).ok()?;
    (!image.rgb().is_empty()).then(|| target.into_vec())
}
