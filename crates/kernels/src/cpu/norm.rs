//! Norms: mean and variance, then scale, shift and SiLU.

use super::activations::{self, Channels, normalise, sum, sum_of_squares};
use super::memory::unwritten;
use rayon::prelude::*;

/// The minimum number of tokens per task.
pub(super) const TOKENS: usize = 16;

/// The pixels whose moments are summed in f32 before the sums continue in f64; also those of a task.
pub(super) const PIXELS: usize = 64;

/// The statistics of a row's groups, for each channel.
pub(super) struct Statistics {
    pub mean: Vec<f32>,
    /// The reciprocal of the standard deviation.
    pub scale: Vec<f32>,
}

/// The statistics of groups of `span` channels; `x` is one row, `[positions, channels]`.
///
/// Mean and variance are computed in one pass, from the differences to a pivot: the mean of the first pixels.
pub(super) fn statistics(x: &[f32], channels: usize, span: usize, eps: f64) -> Statistics {
    let positions = x.len() / channels;
    let count = (span * positions) as f64;
    let zeros = vec![0.0; channels];
    let first = &x[..PIXELS.min(positions) * channels];
    let pivot = group_moments(first, &zeros, span);
    let of_first = (first.len() / channels * span) as f64;
    let pivot = spread(&pivot, span, |(sum, _)| (sum / of_first) as f32);
    let tasks: Vec<_> = x.par_chunks(PIXELS * channels).map(|x| group_moments(x, &pivot, span)).collect();
    let totals = tasks.into_iter().reduce(|mut totals, task| {
        totals.iter_mut().zip(task).for_each(|(total, (sum, square))| {
            *total = (total.0 + sum, total.1 + square);
        });
        totals
    });
    let totals = totals.unwrap_or_default();
    let variance = |(sum, square): (f64, f64)| (square - sum * sum / count).max(0.0) / count;
    let mut mean = spread(&totals, span, |(sum, _)| (sum / count) as f32);
    mean.iter_mut().zip(&pivot).for_each(|(mean, pivot)| *mean += pivot);
    let scale = spread(&totals, span, |total| (1.0 / (variance(total) + eps).sqrt()) as f32);
    Statistics { mean, scale }
}

/// Normalises over `span` channels and all positions; `x` is `[batch, positions, channels]`.
pub(super) fn group_norm(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    span: usize,
    positions: usize,
    eps: f64,
    silu: bool,
) -> Vec<f32> {
    let channels = weight.len();
    // SAFETY: every pixel of every row is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(x.len()) };
    let rows = out.par_chunks_mut(positions * channels).zip(x.par_chunks(positions * channels));
    rows.for_each(|(out, x)| {
        let Statistics { mean, mut scale } = statistics(x, channels, span, eps);
        scale.iter_mut().zip(weight).for_each(|(scale, weight)| *scale *= weight);
        let by = Channels { mean: &mean, scale: &scale, shift: bias };
        let pixels = out.par_chunks_mut(channels).zip(x.par_chunks(channels)).with_min_len(PIXELS);
        pixels.for_each(|(out, x)| match silu {
            true => activations::silu_of_channels(out, x, by),
            false => activations::channels(out, x, by),
        });
    });
    out
}

/// For each group, the sums of x - pivot and of its square.
fn group_moments(x: &[f32], pivot: &[f32], span: usize) -> Vec<(f64, f64)> {
    let (mut sums, mut squares) = (vec![0.0; pivot.len()], vec![0.0; pivot.len()]);
    activations::add_moments(&mut sums, &mut squares, x, pivot);
    let total = |values: &[f32]| values.iter().map(|&x| f64::from(x)).sum();
    sums.chunks(span).zip(squares.chunks(span)).map(|(sums, squares)| (total(sums), total(squares))).collect()
}

/// A value of each group for each of its channels.
fn spread(groups: &[(f64, f64)], span: usize, value: impl Fn((f64, f64)) -> f32) -> Vec<f32> {
    groups.iter().flat_map(|&group| std::iter::repeat_n(value(group), span)).collect()
}

/// Normalises over the channels of each token.
pub(super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f64) -> Vec<f32> {
    let channels = weight.len();
    // SAFETY: every token is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(x.len()) };
    let tokens = out.par_chunks_mut(channels).zip(x.par_chunks(channels)).with_min_len(TOKENS);
    tokens.for_each(|(out, x)| {
        let (mean, scale) = moments(x, eps);
        normalise(out, x, mean, scale, weight, bias);
    });
    out
}

/// Divides each token by the root of its mean square, and multiplies it by `weight`.
pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f64) -> Vec<f32> {
    let channels = weight.len();
    let zeros = vec![0.0; channels];
    // SAFETY: every token is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(x.len()) };
    let tokens = out.par_chunks_mut(channels).zip(x.par_chunks(channels)).with_min_len(TOKENS);
    tokens.for_each(|(out, x)| {
        let scale = 1.0 / (sum_of_squares(x, 0.0) / channels as f64 + eps).sqrt();
        normalise(out, x, 0.0, scale as f32, weight, &zeros);
    });
    out
}

/// The mean and the reciprocal of the standard deviation.
pub(super) fn moments(x: &[f32], eps: f64) -> (f32, f32) {
    let mean = sum(x) / x.len() as f64;
    let variance = sum_of_squares(x, mean as f32) / x.len() as f64;
    (mean as f32, (1.0 / (variance + eps).sqrt()) as f32)
}
