//! Converts between pictures with levels 0 to 255 and the VAE's tensors with values -1 to 1.

use candle_core::{DType, Device, Result, Tensor};
use maquette_core::Image;

/// The pixels of a picture, `[1, 3, height, width]` in -1 to 1: diffusers' `VaeImageProcessor.preprocess`.
pub fn from_image(image: &Image, dtype: DType, device: &Device) -> Result<Tensor> {
    tensor(image, |fraction| fraction * 2.0 - 1.0, dtype, device)
}

/// `[1, 3, height, width]` in 0 to 1: the same without normalising, for pictures that a ControlNet follows.
pub(crate) fn fractions(image: &Image, dtype: DType, device: &Device) -> Result<Tensor> {
    tensor(image, |fraction| fraction, dtype, device)
}

fn tensor(image: &Image, value: impl Fn(f32) -> f32, dtype: DType, device: &Device) -> Result<Tensor> {
    let levels: Vec<f32> = image.rgb().iter().map(|&level| value(f32::from(level) / 255.0)).collect();
    let shape = (1, image.height() as usize, image.width() as usize, 3);
    Tensor::from_vec(levels, shape, device)?.permute((0, 3, 1, 2))?.contiguous()?.to_dtype(dtype)
}

/// The pictures in `[rows, 3, height, width]`, rounded half to even as numpy does in diffusers' `postprocess`.
///
/// `None` for a row with NaN or infinity: the precision overflowed.
pub(crate) fn to_images(pixels: &Tensor) -> Result<Vec<Option<Image>>> {
    let pixels = pixels.to_dtype(DType::F32)?;
    let (rows, _, height, width) = pixels.dims4()?;
    // 0 times a number is 0, and NaN for NaN and infinity; in many short sums, as a GPU computes each on one of its
    // multiprocessors.
    let zeros = pixels.affine(0.0, 0.0)?.sum(3)?.flatten_from(1)?.to_vec2::<f32>()?;
    let levels = levels(&pixels)?.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1::<u8>()?;
    let image = |row: usize, levels: &[u8]| {
        let finite = zeros[row].iter().all(|value| value.is_finite());
        finite.then(|| Image::new(width as u32, height as u32, levels.to_vec())).flatten()
    };
    Ok(levels
        .chunks_exact((levels.len() / rows.max(1)).max(1))
        .enumerate()
        .map(|(row, levels)| image(row, levels))
        .collect())
}

/// Levels 0 to 255 of f32 values, clamped to -1 to 1, on their device, so that only bytes are copied from it.
///
/// Adding 2^23 to a level rounds it half to even, as the sum has no room for a fraction; candle's `round` rounds half away
/// from zero.
fn levels(values: &Tensor) -> Result<Tensor> {
    const NO_FRACTION: f64 = (1 << 23) as f64;
    let levels = values.affine(0.5, 0.5)?.clamp(0f32, 1f32)?.affine(255.0, 0.0)?;
    levels.affine(1.0, NO_FRACTION)?.affine(1.0, -NO_FRACTION)?.to_dtype(DType::U8)
}

/// A black picture of the same size.
pub(crate) fn black(like: &Image) -> Image {
    // The same number of bytes as the other picture.
    Image::new(like.width(), like.height(), vec![0; like.rgb().len()]).expect("three bytes a pixel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// numpy's arithmetic, one value at a time.
    fn reference(value: f32) -> u8 {
        ((value * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
    }

    fn check(values: &[f32]) {
        let found = levels(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap().to_vec1::<u8>().unwrap();
        for (value, found) in values.iter().zip(found) {
            assert_eq!(found, reference(*value), "{value} ({:#x})", value.to_bits());
        }
    }

    /// All values about those whose level is halfway between two integers, or at the ends.
    #[test]
    fn halves_are_rounded_to_even() {
        let mut halves = 0;
        for twice in -2..=512 {
            let middle = (f64::from(twice) / 510.0 * 2.0 - 1.0) as f32;
            let values: Vec<f32> = (-64..=64)
                .map(|step: i32| f32::from_bits(middle.to_bits().wrapping_add_signed(step)))
                .filter(|value| value.is_finite())
                .collect();
            halves += values.iter().filter(|&&value| (value * 0.5 + 0.5) * 255.0 % 1.0 == 0.5).count();
            check(&values);
        }
        assert!(halves > 255, "{halves} exact halves");
    }

    proptest! {
        #[test]
        fn levels_are_those_of_numpy(
            bits in prop::collection::vec(any::<u32>(), 1..64),
            usual in prop::collection::vec(-1.5..1.5f32, 1..256),
        ) {
            let finite = bits.into_iter().map(f32::from_bits).filter(|value| value.is_finite());
            check(&finite.chain(usual).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_row_with_nan_or_infinity_has_no_picture() {
        let (height, width) = (3, 2);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in 0..3 * height * width {
                let mut values: Vec<f32> = (0..9 * height * width).map(|i| i as f32 / 20.0 - 1.0).collect();
                values[3 * height * width + place] = bad;
                let pixels = Tensor::from_vec(values.clone(), (3, 3, height, width), &Device::Cpu).unwrap();
                let images = to_images(&pixels).unwrap();
                assert_eq!(images.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
                for (row, image) in images.iter().enumerate() {
                    let Some(image) = image else { continue };
                    let at = |i: usize| {
                        let (channel, place) = (i % 3, i / 3);
                        values[(3 * row + channel) * height * width + place]
                    };
                    let expected: Vec<u8> = (0..3 * height * width).map(|i| reference(at(i))).collect();
                    assert_eq!(image.rgb(), expected);
                    assert_eq!((image.width(), image.height()), (2, 3));
                }
            }
        }
        // The largest finite values are no overflow.
        let largest = Tensor::full(f32::MAX, (1, 3, 2, 2), &Device::Cpu).unwrap();
        assert_eq!(to_images(&largest).unwrap()[0].as_ref().unwrap().rgb(), [255; 12]);
    }
}
