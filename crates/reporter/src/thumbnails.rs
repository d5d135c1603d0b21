//! Thumbnails: pictures are shrunk with Lanczos, tiny ones are enlarged by a whole factor.

use fast_image_resize::images::{Image as Pixels, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use maquette_core::Image;

/// The size of a thumbnail within `limit`, with the picture's aspect ratio.
///
/// Larger pictures are shrunk; smaller ones are enlarged only by a whole factor, at most `enlarge`.
pub(crate) fn shown_size(size: (u32, u32), limit: (u32, u32), enlarge: u32) -> (u32, u32) {
    let (width, height) = (size.0.max(1), size.1.max(1));
    let enlarge = enlarge.min(limit.0 / width).min(limit.1 / height);
    if enlarge >= 1 {
        return (width * enlarge, height * enlarge);
    }
    let scale = (f64::from(limit.0) / f64::from(width)).min(f64::from(limit.1) / f64::from(height));
    let scaled = |edge: u32, limit: u32| ((f64::from(edge) * scale).round() as u32).clamp(1, limit.max(1));
    (scaled(width, limit.0), scaled(height, limit.1))
}

/// The size whose longer edge is `edge`, with the picture's aspect ratio.
pub(crate) fn fitted((width, height): (u32, u32), edge: u32) -> (u32, u32) {
    let scale = f64::from(edge) / f64::from(width.max(height).max(1));
    let scaled = |edge: u32| ((f64::from(edge) * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

/// Resizes a picture.
pub(crate) fn resize(image: Image, (width, height): (u32, u32)) -> Image {
    if (image.width(), image.height()) == (width, height) || image.rgb().is_empty() {
        return image;
    }
    let options =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(false);
    let mut target = Pixels::new(width, height, PixelType::U8x3);
    let resized = ImageRef::new(image.width(), image.height(), image.rgb(), PixelType::U8x3)
        .map_err(|error| error.to_string())
        .and_then(|source| {
            Resizer::new().resize(&source, &mut target, &options).map_err(|error| error.to_string())
        });
    match resized.ok().and_then(|()| Image::new(width, height, target.into_vec())) {
        Some(resized) => resized,
        // Unreachable: both buffers have the right size and pixel type.
        None => image,
    }
}
