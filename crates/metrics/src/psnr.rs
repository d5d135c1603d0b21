//! The mean squared error and the peak signal-to-noise ratio.

use maquette_core::Image;

/// The mean squared difference of the channels, in levels of 0 to 255; `None` for pictures of different sizes.
pub(crate) fn mean_squared_error(left: &Image, right: &Image) -> Option<f64> {
    if (left.width(), left.height()) != (right.width(), right.height()) || left.rgb().is_empty() {
        return None;
    }
    // A sum of whole numbers is exact.
    let squares = left.rgb().iter().zip(right.rgb()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
    Some(squares.sum::<u64>() as f64 / left.rgb().len() as f64)
}

/// The ratio in dB; infinite without an error.
pub(crate) fn psnr(mean_squared_error: f64) -> f64 {
    10.0 * (255.0 * 255.0 / mean_squared_error).log10()
}
