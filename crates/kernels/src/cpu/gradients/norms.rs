//! Gradients of norms.
//!
//! With `y = w x̂ + b`, where `x̂` has mean 0 and variance 1 over the values of a group, and `g` the gradient of `y`: `dx = (w g -
//! mean(w g) - x̂ mean(w g x̂)) / deviation`, `dw = sum(g x̂)`, `db = sum(g)`.

use super::linear::column_sums;
use crate::cpu::activations::{Channels, add_products, scaled_silu_slopes, subtract_means};
use crate::cpu::memory::unwritten;
use crate::cpu::norm::{PIXELS, Statistics, TOKENS, moments, statistics};
use rayon::prelude::*;

/// The gradients of a norm's operands.
pub(in crate::cpu) struct NormGradients {
    /// Of `x`'s shape.
    pub x: Vec<f32>,
    /// `[channels]`
    pub weight: Vec<f32>,
    /// `[channels]`
    pub bias: Vec<f32>,
}

/// `x` and `gradient` are `[batch, positions, channels]`; groups have `span` channels; `silu` if that follows the norm.
#[allow(clippy::too_many_arguments)]
pub(in crate::cpu) fn group_norm(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    gradient: &[f32],
    span: usize,
    positions: usize,
    eps: f64,
    silu: bool,
) -> NormGradients {
    let channels = weight.len();
    // SAFETY: every pixel of every row is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(x.len()) };
    let row = positions * channels;
    let rows = out.par_chunks_mut(row).zip(x.par_chunks(row)).zip(gradient.par_chunks(row));
    let sums: Vec<_> = rows
        .map(|((out, x), gradient)| {
            let Statistics { mean, scale } = statistics(x, channels, span, eps);
            // The gradient of y, then its sums for each channel.
            let chunks = out.par_chunks_mut(PIXELS * channels).zip(x.par_chunks(PIXELS * channels));
            let parts: Vec<_> = chunks
                .zip(gradient.par_chunks(PIXELS * channels))
                .map(|((out, x), gradient)| {
                    match silu {
                        true => {
                            let weighted: Vec<f32> = scale.iter().zip(weight).map(|(a, b)| a * b).collect();
                            let by = Channels { mean: &mean, scale: &weighted, shift: bias };
                            scaled_silu_slopes(out, x, gradient, by);
                        }
                        false => out.copy_from_slice(gradient),
                    }
                    let mut sums = [vec![0f32; channels], vec![0f32; channels]];
                    let [of_bias, of_weight] = &mut sums;
                    add_products(of_bias, of_weight, out, x, &mean, &scale);
                    sums
                })
                .collect();
            let total = |which: usize| {
                let mut total = vec![0f64; channels];
                for part in &parts {
                    total.iter_mut().zip(&part[which]).for_each(|(total, &sum)| *total += f64::from(sum));
                }
                total
            };
            let (of_bias, of_weight) = (total(0), total(1));
            let means = |sums: &[f64]| -> Vec<f32> {
                let weighted: Vec<f64> =
                    sums.iter().zip(weight).map(|(sum, &weight)| sum * f64::from(weight)).collect();
                let groups = weighted.chunks_exact(span).map(|group| group.iter().sum::<f64>());
                let count = (span * positions) as f64;
                groups.flat_map(|sum| std::iter::repeat_n((sum / count) as f32, span)).collect()
            };
            let (of_values, of_products) = (means(&of_bias), means(&of_weight));
            let pixels = out.par_chunks_mut(channels).zip(x.par_chunks(channels)).with_min_len(PIXELS);
            pixels.for_each(|(out, x)| {
                let by = Channels { mean: &mean, scale: &scale, shift: &of_values };
                subtract_means(out, x, weight, by, &of_products);
            });
            (of_weight, of_bias)
        })
        .collect();
    let total = |of: fn(&Sums, usize) -> f64| -> Vec<f32> {
        (0..channels).map(|channel| sums.iter().map(|row| of(row, channel)).sum::<f64>() as f32).collect()
    };
    NormGradients {
        weight: total(|row, channel| row.0[channel]),
        bias: total(|row, channel| row.1[channel]),
        x: out,
    }
}

/// The sums of a picture for each channel: for the weight's gradient, and for the bias's.
type Sums = (Vec<f64>, Vec<f64>);

/// `x` and `gradient` are `[tokens, channels]`.
pub(in crate::cpu) fn layer_norm(x: &[f32], weight: &[f32], gradient: &[f32], eps: f64) -> NormGradients {
    let channels = weight.len();
    // SAFETY: every token is written.
    #[allow(unsafe_code)]
    let [mut out, mut products] = [0, 1].map(|_| unsafe { unwritten(x.len()) });
    let tokens = out.par_chunks_mut(channels).zip(products.par_chunks_mut(channels));
    let tokens = tokens.zip(x.par_chunks(channels)).zip(gradient.par_chunks(channels));
    tokens.with_min_len(TOKENS).for_each(|(((out, products), x), gradient)| {
        let (mean, scale) = moments(x, eps);
        let (mut of_values, mut of_products) = (0.0, 0.0);
        for (((product, x), gradient), weight) in products.iter_mut().zip(x).zip(gradient).zip(weight) {
            let normal = (x - mean) * scale;
            *product = gradient * normal;
            of_values += f64::from(weight * gradient);
            of_products += f64::from(weight * *product);
        }
        let count = channels as f64;
        let (of_values, of_products) = ((of_values / count) as f32, (of_products / count) as f32);
        for (((out, x), gradient), weight) in out.iter_mut().zip(x).zip(gradient).zip(weight) {
            *out = scale * (weight * gradient - of_values - (x - mean) * scale * of_products);
        }
    });
    NormGradients { x: out, weight: column_sums(&products, channels), bias: column_sums(gradient, channels) }
}
