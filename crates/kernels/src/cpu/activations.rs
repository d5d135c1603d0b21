//! Sums and activations over slices, in forms that compilers turn into vector instructions.
//!
//! They are compiled for several instruction sets and the best one is chosen at run time. None of them uses fused
//! multiply-add, so the choice does not change a bit of the result.

use multiversion::multiversion;

/// The number of parallel sums; a multiple of every vector width.
const LANES: usize = 16;
/// How many values a lane sums in f32 before the sum continues in f64.
const DEPTH: usize = 64;

/// The sum of all values.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn sum(x: &[f32]) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(LANES * DEPTH) {
        let mut lanes = [0f32; LANES];
        let (whole, rest) = block.as_chunks::<LANES>();
        for x in whole {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane += x;
            }
        }
        total += lanes.iter().chain(rest).map(|&x| f64::from(x)).sum::<f64>();
    }
    total
}

/// The sum of the squared differences from `mean`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn sum_of_squares(x: &[f32], mean: f32) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(LANES * DEPTH) {
        let mut lanes = [0f32; LANES];
        let (whole, rest) = block.as_chunks::<LANES>();
        for x in whole {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane += (x - mean) * (x - mean);
            }
        }
        let rest = rest.iter().map(|x| (x - mean) * (x - mean));
        total += lanes.into_iter().chain(rest).map(f64::from).sum::<f64>();
    }
    total
}

/// What each channel of an image is normalised with.
#[derive(Clone, Copy)]
pub(super) struct Channels<'a> {
    pub mean: &'a [f32],
    pub scale: &'a [f32],
    pub shift: &'a [f32],
}

/// scale * (x - mean) + shift of the channels of a pixel
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn channels(out: &mut [f32], x: &[f32], by: Channels) {
    let by = by.mean.iter().zip(by.scale).zip(by.shift);
    out.iter_mut()
        .zip(x)
        .zip(by)
        .for_each(|((out, x), ((mean, scale), shift))| *out = (x - mean) * scale + shift);
}

/// SiLU of [`channels`].
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn silu_of_channels(out: &mut [f32], x: &[f32], by: Channels) {
    let by = by.mean.iter().zip(by.scale).zip(by.shift);
    out.iter_mut().zip(x).zip(by).for_each(|((out, x), ((mean, scale), shift))| {
        let x = (x - mean) * scale + shift;
        *out = x / (1.0 + exp(-x));
    });
}

/// Adds x - pivot and its square to the sums of the channels.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn add_moments(sums: &mut [f32], squares: &mut [f32], x: &[f32], pivot: &[f32]) {
    for x in x.chunks_exact(pivot.len()) {
        for ((sum, square), (x, pivot)) in sums.iter_mut().zip(&mut *squares).zip(x.iter().zip(pivot)) {
            let x = x - pivot;
            *sum += x;
            *square += x * x;
        }
    }
}

/// weight * (x - mean) * scale + bias
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn normalise(out: &mut [f32], x: &[f32], mean: f32, scale: f32, weight: &[f32], bias: &[f32]) {
    let curve = out.iter_mut().zip(x).zip(weight.iter().zip(bias));
    curve.for_each(|((out, x), (weight, bias))| *out = (x - mean) * scale * weight + bias);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn silu(out: &mut [f32], x: &[f32]) {
    out.iter_mut().zip(x).for_each(|(out, &x)| *out = x / (1.0 + exp(-x)));
}

/// max(x, 0); NaN stays NaN.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn relu(out: &mut [f32], x: &[f32]) {
    out.iter_mut().zip(x).for_each(|(out, &x)| *out = if x < 0.0 { 0.0 } else { x });
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn quick_gelu(out: &mut [f32], x: &[f32]) {
    out.iter_mut().zip(x).for_each(|(out, &x)| *out = x / (1.0 + exp(-1.702 * x)));
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn gelu(out: &mut [f32], x: &[f32]) {
    out.iter_mut().zip(x).for_each(|(out, &x)| *out = gelu_of(x));
}

/// x * GELU of gate
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn geglu(out: &mut [f32], x: &[f32], gate: &[f32]) {
    out.iter_mut().zip(x).zip(gate).for_each(|((out, x), &gate)| *out = x * gelu_of(gate));
}

/// The gradients of both factors of [`geglu`], for that of the product.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn geglu_slopes(out: &mut [f32], out_gate: &mut [f32], x: &[f32], gate: &[f32], gradient: &[f32]) {
    // 1 / sqrt(2 pi)
    const DENSITY: f32 = 0.398_942_3;
    let outs = out.iter_mut().zip(out_gate);
    outs.zip(x.iter().zip(gate)).zip(gradient).for_each(|(((out, out_gate), (x, &gate)), gradient)| {
        let below = 0.5 * (1.0 + erf(gate * std::f32::consts::FRAC_1_SQRT_2));
        *out = gradient * gate * below;
        *out_gate = gradient * x * (below + gate * DENSITY * exp(-0.5 * gate * gate));
    });
}

/// A gradient times the slope of SiLU at [`channels`].
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn scaled_silu_slopes(out: &mut [f32], x: &[f32], gradient: &[f32], by: Channels) {
    let pixels = out.chunks_exact_mut(by.mean.len()).zip(x.chunks_exact(by.mean.len()));
    for ((out, x), gradient) in pixels.zip(gradient.chunks_exact(by.mean.len())) {
        let by = by.mean.iter().zip(by.scale).zip(by.shift);
        out.iter_mut().zip(x).zip(gradient).zip(by).for_each(
            |(((out, x), gradient), ((mean, scale), shift))| {
                let x = (x - mean) * scale + shift;
                let sigmoid = 1.0 / (1.0 + exp(-x));
                *out = gradient * sigmoid * (1.0 + x * (1.0 - sigmoid));
            },
        );
    }
}

/// Adds a gradient, and its products with the normalised values, to the sums of the channels.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn add_products(
    sums: &mut [f32],
    products: &mut [f32],
    gradient: &[f32],
    x: &[f32],
    mean: &[f32],
    scale: &[f32],
) {
    for (gradient, x) in gradient.chunks_exact(mean.len()).zip(x.chunks_exact(mean.len())) {
        let by = mean.iter().zip(scale);
        let sums = sums.iter_mut().zip(&mut *products);
        sums.zip(gradient.iter().zip(x)).zip(by).for_each(
            |(((sum, product), (gradient, x)), (mean, scale))| {
                *sum += gradient;
                *product += gradient * ((x - mean) * scale);
            },
        );
    }
}

/// scale * (weight * out - shift - normalised x * products) of the channels of a pixel
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn subtract_means(out: &mut [f32], x: &[f32], weight: &[f32], by: Channels, products: &[f32]) {
    let means = by.shift.iter().zip(products);
    let by = by.mean.iter().zip(by.scale);
    out.iter_mut().zip(x).zip(weight).zip(by.zip(means)).for_each(
        |(((out, x), weight), ((mean, scale), (shift, product)))| {
            *out = scale * (weight * *out - shift - (x - mean) * scale * product);
        },
    );
}

/// Replaces scores by e^(scale * score), divided by their sum.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn softmax_rows(scores: &mut [f32], scale: f32) {
    let mut most = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = scores.as_chunks::<LANES>();
    for line in whole {
        for (most, &x) in most.iter_mut().zip(line) {
            *most = if x > *most { x } else { *most };
        }
    }
    let most = most.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
    scores.iter_mut().for_each(|x| *x = exp((*x - most) * scale));
    let total = sum_in_lanes(scores);
    scores.iter_mut().for_each(|x| *x /= total);
}

/// The sum of all values in f32.
#[inline(always)]
fn sum_in_lanes(x: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for x in whole {
        for (lane, x) in lanes.iter_mut().zip(x) {
            *lane += x;
        }
    }
    lanes.iter().chain(rest).sum()
}

/// The slopes of scores: score * (slope - the sum of all products of both) * scale.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
pub(super) fn softmax_slopes(slopes: &mut [f32], scores: &[f32], scale: f32) {
    let mut lanes = [0f32; LANES];
    let (whole, rest) = slopes.as_chunks::<LANES>();
    let (whole_scores, rest_scores) = scores.as_chunks::<LANES>();
    for (slopes, scores) in whole.iter().zip(whole_scores) {
        for (lane, (slope, score)) in lanes.iter_mut().zip(slopes.iter().zip(scores)) {
            *lane += slope * score;
        }
    }
    let rest: f32 = rest.iter().zip(rest_scores).map(|(slope, score)| slope * score).sum();
    let mean = lanes.iter().sum::<f32>() + rest;
    slopes.iter_mut().zip(scores).for_each(|(slope, score)| *slope = score * (*slope - mean) * scale);
}

#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// e^x to about one part in 10^7, from 2^-126 on up; Cephes' polynomial (`expf.c`).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding this leaves the nearest integer in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.33 { -87.33 } else { x };
    let x = if x > 88.37 { 88.37 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

/// The error function to about 3 parts in 10^7; Eigen's rational approximation (`generic_fast_erf_float`).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = if x < -4.0 { -4.0 } else { x };
    let x = if x > 4.0 { 4.0 } else { x };
    let x2 = x * x;
    let p = -2.726_142_3e-10;
    let p = p * x2 + 2.770_681_4e-8;
    let p = p * x2 - 2.101_024e-6;
    let p = p * x2 - 5.692_506_4e-5;
    let p = p * x2 - 7.349_906_3e-4;
    let p = p * x2 - 2.954_6e-3;
    let p = p * x2 - 1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * x2 - 2.133_740_6e-4;
    let q = q * x2 - 1.682_827e-3;
    let q = q * x2 - 7.373_329e-3;
    let q = q * x2 - 1.426_474e-2;
    x * p / q
}
