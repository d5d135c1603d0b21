//! Between pictures and the VAE's tensors: levels 0 to 255 and numbers from -1 to 1.

use crate::sampler::error::RenderError;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::Image;

/// `[1, 3, height, width]` in -1 to 1: diffusers' `VaeImageProcessor.preprocess`.
pub(crate) fn from_image(image: &Image, dtype: DType, device: &Device) -> Result<Tensor> {
    let levels: Vec<f32> = image.rgb().iter().map(|&level| f32::from(level) / 255.0 * 2.0 - 1.0).collect();
    let shape = (1, image.height() as usize, image.width() as usize, 3);
    Tensor::from_vec(levels, shape, device)?.permute((0, 3, 1, 2))?.contiguous()?.to_dtype(dtype)
}

/// The picture in `[1, 3, height, width]`, rounded half to even as numpy does in diffusers' `postprocess`.
///
/// Numbers that are none (NaN, infinite) are an error: they mean that the precision overflowed.
pub(crate) fn to_image(pixels: &Tensor) -> std::result::Result<Image, RenderError> {
    let pixels = pixels.to_dtype(DType::F32)?.squeeze(0)?.permute((1, 2, 0))?.contiguous()?;
    let (height, width, _) = pixels.dims3()?;
    let values = pixels.flatten_all()?.to_vec1::<f32>()?;
    if !values.iter().all(|value| value.is_finite()) {
        return Err(RenderError::NotFinite);
    }
    let level = |value: f32| ((value * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let rgb = values.into_iter().map(level).collect();
    Image::new(width as u32, height as u32, rgb).ok_or(RenderError::NotFinite)
}

/// A black picture of the same size.
pub(crate) fn black(like: &Image) -> Image {
    // As many bytes as the other picture has.
    Image::new(like.width(), like.height(), vec![0; like.rgb().len()]).expect("three bytes a pixel")
}
