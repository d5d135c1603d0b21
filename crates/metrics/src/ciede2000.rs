//! Colours in CIE Lab, and the mean colour difference of two pictures.

use maquette_core::Image;
use palette::color_difference::Ciede2000;
use palette::white_point::D65;
use palette::{FromColor, Lab, LinSrgb, Srgb};

/// A level of sRGB's red, green and blue in CIE Lab, with the white point D65.
pub(crate) fn lab(rgb: [u8; 3]) -> Lab<D65, f64> {
    let linear: LinSrgb<f64> = Srgb::from(rgb).into_linear();
    Lab::from_color(linear)
}

/// The mean Delta E 2000 of the pixels; `None` for pictures of different sizes.
pub(crate) fn ciede2000(left: &Image, right: &Image) -> Option<f64> {
    if (left.width(), left.height()) != (right.width(), right.height()) || left.rgb().is_empty() {
        return None;
    }
    let pixels = |image: &'_ Image| image.rgb().as_chunks::<3>().0.to_vec();
    let (left, right) = (pixels(left), pixels(right));
    let differences = left.iter().zip(&right).map(|(a, b)| match a == b {
        true => 0.0,
        false => lab(*a).difference(lab(*b)),
    });
    Some(differences.sum::<f64>() / left.len() as f64)
}
