//! Softmax down the columns of a tile of scores.
//!
//! Compiled for several instruction sets like the activations, and as they are without contracting products and sums.

use super::activations::exp;
use multiversion::multiversion;

/// e to (scale * (x - the column's largest)) in each column of `scores`, not yet divided by `total`, the columns' sums.
///
/// `scores` has lines as long as `most` and `total`, which are written.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn softmax_down(scores: &mut [f32], scale: f32, most: &mut [f32], total: &mut [f32]) {
    most.fill(f32::NEG_INFINITY);
    for line in scores.chunks(most.len()) {
        most.iter_mut().zip(line).for_each(|(most, &x)| *most = if x > *most { x } else { *most });
    }
    total.fill(0.0);
    for line in scores.chunks_mut(most.len()) {
        for ((x, most), total) in line.iter_mut().zip(&*most).zip(total.iter_mut()) {
            *x = exp((*x - most) * scale);
            *total += *x;
        }
    }
}
