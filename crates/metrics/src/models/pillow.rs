//! Pillow's resizing, bit for bit, so that a model sees the pixels that `transformers` shows it: each pixel is a weighted mean
//! of those below its filter, computed in integers, first along rows and then along columns (Pillow's `Resample.c`).
//!
//! Not the crate fast_image_resize, which rounds its weights to 16 bits and so differs in some pixels by one level.

use maquette_core::Image;

/// A filter, with antialiasing when pictures shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// The mean of the area.
    Box,
    /// Triangles.
    Bilinear,
    /// Cubic splines with a = -0.5.
    Bicubic,
}

/// Bits after the point of a weight.
const BITS: u32 = 22;

/// The weights of one new pixel: those of the old pixels from `start` on.
struct Weights {
    start: usize,
    values: Vec<i32>,
}

/// The picture at another size. Both sides must be at least 1.
pub(super) fn resize(image: &Image, width: u32, height: u32, filter: Filter) -> Image {
    let (old_width, old_height) = (image.width() as usize, image.height() as usize);
    let (new_width, new_height) = (width as usize, height as usize);
    let wide = match old_width == new_width {
        true => image.rgb().to_vec(),
        false => {
            let weights = weights(old_width, new_width, filter);
            let pixel = |y: usize, weights: &Weights, channel: usize| {
                let first = 3 * (y * old_width + weights.start) + channel;
                mean(weights, image.rgb().iter().skip(first).step_by(3))
            };
            grid(old_height, new_width, |y, x, channel| pixel(y, &weights[x], channel))
        }
    };
    let rgb = match old_height == new_height {
        true => wide,
        false => {
            let weights = weights(old_height, new_height, filter);
            let pixel = |weights: &Weights, x: usize, channel: usize| {
                let first = 3 * (weights.start * new_width + x) + channel;
                mean(weights, wide.iter().skip(first).step_by(3 * new_width))
            };
            grid(new_height, new_width, |y, x, channel| pixel(&weights[y], x, channel))
        }
    };
    Image::new(width, height, rgb).unwrap_or_else(|| unreachable!("three bytes for each pixel"))
}

fn grid(height: usize, width: usize, value: impl Fn(usize, usize, usize) -> u8) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            rgb.extend((0..3).map(|channel| value(y, x, channel)));
        }
    }
    rgb
}

fn mean<'a>(weights: &Weights, pixels: impl Iterator<Item = &'a u8>) -> u8 {
    let sum: i32 = weights.values.iter().zip(pixels).map(|(&weight, &pixel)| weight * i32::from(pixel)).sum();
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

fn weights(old: usize, new: usize, filter: Filter) -> Vec<Weights> {
    let scale = old as f64 / new as f64;
    let wider = scale.max(1.0);
    let support = filter.support() * wider;
    let pixel = |x: usize| {
        let centre = (x as f64 + 0.5) * scale;
        // Truncated towards zero, as by a cast in C.
        let start = ((centre - support + 0.5) as i64).max(0) as usize;
        let end = ((centre + support + 0.5) as usize).min(old);
        let values: Vec<f64> =
            (start..end).map(|k| filter.at((k as f64 - centre + 0.5) * (1.0 / wider))).collect();
        let sum: f64 = values.iter().sum();
        let fixed = |value: &f64| {
            let value = value / sum * f64::from(1 << BITS);
            (value + if value < 0.0 { -0.5 } else { 0.5 }) as i32
        };
        Weights { start, values: values.iter().map(fixed).collect() }
    };
    (0..new).map(pixel).collect()
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Filter::Box => 0.5,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let distance = x.abs();
        match self {
            Filter::Box if x > -0.5 && x <= 0.5 => 1.0,
            Filter::Bilinear if distance < 1.0 => 1.0 - distance,
            Filter::Bicubic if distance < 1.0 => {
                ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
            }
            Filter::Bicubic if distance < 2.0 => (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A,
            _ => 0.0,
        }
    }
}
