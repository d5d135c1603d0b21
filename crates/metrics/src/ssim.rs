//! Structural similarity: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
//! similarity", 2004.
//!
//! As scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
//! channel_axis=-1)`: a Gaussian window of 11x11 pixels, the windows inside the picture, the mean of the three channels.
//! The crate image-compare has windows of 8x8 pixels without weights, which do not overlap: another measure.

use maquette_core::Image;

/// Edge of the window in pixels.
const WINDOW: usize = 11;

/// Standard deviation of the window's weights in pixels.
const SIGMA: f64 = 1.5;

/// The constants that keep the quotients stable: `(0.01 L)^2` and `(0.03 L)^2` for the range L of the levels.
const C1: f32 = 0.01 * 255.0 * 0.01 * 255.0;
const C2: f32 = 0.03 * 255.0 * 0.03 * 255.0;

/// Subtracted from levels before they are squared: small numbers lose fewer digits in f32.
const MIDDLE: f32 = 127.5;

/// The similarity, -1 to 1; `None` for pictures of different sizes or smaller than a window.
pub(crate) fn ssim(left: &Image, right: &Image) -> Option<f64> {
    let (width, height) = (left.width() as usize, left.height() as usize);
    let same = (left.width(), left.height()) == (right.width(), right.height());
    if !same || width < WINDOW || height < WINDOW {
        return None;
    }
    let weights = weights();
    let channel = |channel| channel_ssim(left, right, channel, &weights);
    Some((channel(0) + channel(1) + channel(2)) / 3.0)
}

fn weights() -> [f32; WINDOW] {
    let weight = |at: usize| (-0.5 * ((at as f64 - (WINDOW / 2) as f64) / SIGMA).powi(2)).exp();
    let sum: f64 = (0..WINDOW).map(weight).sum();
    std::array::from_fn(|at| (weight(at) / sum) as f32)
}

/// The mean over the windows of one channel.
fn channel_ssim(left: &Image, right: &Image, channel: usize, weights: &[f32; WINDOW]) -> f64 {
    let (width, height) = (left.width() as usize, left.height() as usize);
    let (inner_width, inner_height) = (width - WINDOW + 1, height - WINDOW + 1);
    let levels = |image: &Image, y: usize| -> Vec<f32> {
        let row = image.rgb()[3 * width * y..3 * width * (y + 1)].iter();
        row.skip(channel).step_by(3).map(|&level| f32::from(level) - MIDDLE).collect()
    };
    // Weighted sums along the rows of x, y, x², y² and xy: five planes, then the same along the columns.
    let mut planes = vec![vec![0.0; inner_width * height]; 5];
    for y in 0..height {
        let (x, y_) = (levels(left, y), levels(right, y));
        let products = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).collect();
        let (xx, yy, xy): (Vec<f32>, Vec<f32>, Vec<f32>) =
            (products(&x, &x), products(&y_, &y_), products(&x, &y_));
        for (plane, row) in planes.iter_mut().zip([&x, &y_, &xx, &yy, &xy]) {
            let sums = &mut plane[inner_width * y..inner_width * (y + 1)];
            for (at, weight) in weights.iter().enumerate() {
                sums.iter_mut().zip(&row[at..]).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
    let mut total = 0.0;
    let mut sums = vec![vec![0.0f32; inner_width]; 5];
    for y in 0..inner_height {
        for (sums, plane) in sums.iter_mut().zip(&planes) {
            sums.fill(0.0);
            for (at, weight) in weights.iter().enumerate() {
                let row = &plane[inner_width * (y + at)..inner_width * (y + at + 1)];
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        total += (0..inner_width)
            .map(|x| f64::from(quotient(sums[0][x], sums[1][x], sums[2][x], sums[3][x], sums[4][x])))
            .sum::<f64>();
    }
    total / (inner_width * inner_height) as f64
}

/// The similarity of one window, from the weighted means of x, y, x², y² and xy, of which `MIDDLE` was subtracted.
fn quotient(x: f32, y: f32, xx: f32, yy: f32, xy: f32) -> f32 {
    let (variance_x, variance_y, covariance) = (xx - x * x, yy - y * y, xy - x * y);
    let (x, y) = (x + MIDDLE, y + MIDDLE);
    (2.0 * x * y + C1) * (2.0 * covariance + C2) / ((x * x + y * y + C1) * (variance_x + variance_y + C2))
}
