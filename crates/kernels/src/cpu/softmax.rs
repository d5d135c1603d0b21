//! Softmax down the columns of a tile of scores.
//!
//! Compiled for several instruction sets and without fused multiply-add, like the activations.

use super::activations::exp;
use multiversion::multiversion;

/// Replaces `scores` by e^(scale * (x - the column's maximum)), not yet divided by `total`, the sums of the columns.
///
/// The lines of `scores` are as long as `most`, the columns' maxima, and `total`; both are written.
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
