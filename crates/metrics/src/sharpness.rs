//! The variance of the Laplacian: Pech-Pacheco, Cristóbal, Chamorro-Martínez, Fernández-Valdivia, "Diatom autofocusing in
//! brightfield microscopy: a comparative study", 2000.
//!
//! As OpenCV's `cv2.Laplacian(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()`, digit for digit.

use maquette_core::Image;

/// The variance; `None` for a picture without pixels.
pub(crate) fn sharpness(image: &Image) -> Option<f64> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width == 0 || height == 0 {
        return None;
    }
    let grey: Vec<i64> = image.rgb().as_chunks::<3>().0.iter().map(|&rgb| grey(rgb)).collect();
    let level = |x: usize, y: usize| grey[y * width + x];
    // Sums of whole numbers are exact.
    let (mut sum, mut squares) = (0i64, 0i64);
    for y in 0..height {
        let (above, below) = beside(y, height);
        for x in 0..width {
            let (before, after) = beside(x, width);
            let laplacian =
                level(before, y) + level(after, y) + level(x, above) + level(x, below) - 4 * level(x, y);
            sum += laplacian;
            squares += laplacian * laplacian;
        }
    }
    let count = (width * height) as f64;
    let mean = sum as f64 / count;
    Some((squares as f64 / count - mean * mean).max(0.0))
}

/// OpenCV's grey level: 0.299 R + 0.587 G + 0.114 B in fixed point.
fn grey([r, g, b]: [u8; 3]) -> i64 {
    (9798 * i64::from(r) + 19235 * i64::from(g) + 3735 * i64::from(b) + (1 << 14)) >> 15
}

/// The positions before and after one, reflected at the edges without repeating the edge.
fn beside(at: usize, length: usize) -> (usize, usize) {
    let last = length - 1;
    (if at == 0 { 1.min(last) } else { at - 1 }, if at == last { last.saturating_sub(1) } else { at + 1 })
}
