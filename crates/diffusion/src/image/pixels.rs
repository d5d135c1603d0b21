//! Converts between pictures with levels 0 to 255 and the VAE's tensors with values -1 to 1.

use candle_core::{DType, Device, Result, Tensor};
use maquette_core::Image;

/// `[1, 3, height, width]` in -1 to 1: diffusers' `VaeImageProcessor.preprocess`.
pub(crate) fn from_image(image: &Image, dtype: DType, device: &Device) -> Result<Tensor> {
    let levels: Vec<f32> = image.rgb().iter().map(|&level| f32::from(level) / 255.0 * 2.0 - 1.0).collect();
    let shape = (1, image.height() as usize, image.width() as usize, 3);
    Tensor::from_vec(levels, shape, device)?.permute((0, 3, 1, 2))?.contiguous()?.to_dtype(dtype)
}

/// The pictures in `[rows, 3, height, width]`, rounded half to even as numpy does in diffusers' `postprocess`.
///
/// `None` for a row with NaN or infinity: the precision overflowed.
pub(crate) fn to_images(pixels: &Tensor) -> Result<Vec<Option<Image>>> {
    let pixels = pixels.to_dtype(DType::F32)?.permute((0, 2, 3, 1))?.contiguous()?;
    let (rows, height, width, _) = pixels.dims4()?;
    (0..rows).map(|row| Ok(to_image(pixels.get(row)?.flatten_all()?.to_vec1()?, width, height))).collect()
}

fn to_image(values: Vec<f32>, width: usize, height: usize) -> Option<Image> {
    if !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let level = |value: f32| ((value * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    Image::new(width as u32, height as u32, values.into_iter().map(level).collect())
}

/// A black picture of the same size.
pub(crate) fn black(like: &Image) -> Image {
    // The same number of bytes as the other picture.
    Image::new(like.width(), like.height(), vec![0; like.rgb().len()]).expect("three bytes a pixel")
}
