//! Norms: mean and variance in two passes, then scale, shift and SiLU in a third.

use super::activations::{self, Line, normalise, sum, sum_of_squares};
use rayon::prelude::*;

/// The minimum number of tokens per task.
pub(super) const TOKENS: usize = 16;

/// Normalises over `span` channels of `positions` values each; `x` is `[batch, channels, positions]`.
pub(super) fn group_norm(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    span: usize,
    positions: usize,
    eps: f64,
    silu: bool,
) -> Vec<f32> {
    let groups = weight.len() / span;
    let mut out = vec![0.0; x.len()];
    let tasks = out.par_chunks_mut(span * positions).zip(x.par_chunks(span * positions)).enumerate();
    tasks.for_each(|(task, (out, x))| {
        let (mean, scale) = moments(x, eps);
        let first = task % groups * span;
        for (i, (out, x)) in out.chunks_mut(positions).zip(x.chunks(positions)).enumerate() {
            let line = Line { mean, scale: scale * weight[first + i], shift: bias[first + i] };
            if silu {
                activations::silu_of_line(out, x, line);
            } else {
                activations::line(out, x, line);
            }
        }
    });
    out
}

/// Normalises over the channels of each token.
pub(super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f64) -> Vec<f32> {
    let channels = weight.len();
    let mut out = vec![0.0; x.len()];
    let tokens = out.par_chunks_mut(channels).zip(x.par_chunks(channels)).with_min_len(TOKENS);
    tokens.for_each(|(out, x)| {
        let (mean, scale) = moments(x, eps);
        normalise(out, x, mean, scale, weight, bias);
    });
    out
}

/// The mean and the reciprocal of the standard deviation.
fn moments(x: &[f32], eps: f64) -> (f32, f32) {
    let mean = sum(x) / x.len() as f64;
    let variance = sum_of_squares(x, mean as f32) / x.len() as f64;
    (mean as f32, (1.0 / (variance + eps).sqrt()) as f32)
}
