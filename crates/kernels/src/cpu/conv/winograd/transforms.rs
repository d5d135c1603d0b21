//! The one-dimensional transforms of Winograd's F(4, 3), applied to lines and then to columns: 6 inputs, 3 weights and
//! 4 outputs per line.
//!
//! The minimal filtering algorithm of Lavin and Gray (arXiv 1509.09308) at the points 0, ±5/8, ±3/2 and infinity. For
//! these the error is less than half of that at 0, ±1, ±2, and the points, their squares and the products of those are
//! exact in f32.

use pulp::Simd;

/// Positions of a line in the transformed domain.
pub(super) const INPUTS: usize = 6;
/// Outputs of a line.
pub(super) const OUTPUTS: usize = 4;

const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
/// 1 / the derivative of the points' polynomial, at 0, ±A and ±B; computed in f64 and rounded once.
const SCALE_0: f32 = (1.0 / (0.625f64 * 0.625 * 1.5 * 1.5)) as f32;
const SCALE_A: f32 = (1.0 / (2.0 * 0.625f64 * 0.625 * (0.625f64 * 0.625 - 1.5 * 1.5))) as f32;
const SCALE_B: f32 = (1.0 / (2.0 * 1.5f64 * 1.5 * (1.5f64 * 1.5 - 0.625 * 0.625))) as f32;

/// a * b + c with a constant `a`.
#[inline(always)]
fn fma<S: Simd>(simd: S, a: f32, b: S::f32s, c: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(a), b, c)
}

#[inline(always)]
fn scaled<S: Simd>(simd: S, a: f32, b: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(a), b)
}

/// Pixels to positions.
#[inline(always)]
pub(super) fn input<S: Simd>(simd: S, d: [S::f32s; INPUTS]) -> [S::f32s; INPUTS] {
    let (even_a, even_b) = (fma(simd, -B2, d[2], d[4]), fma(simd, -A2, d[2], d[4]));
    let odd_a = scaled(simd, A, fma(simd, -B2, d[1], d[3]));
    let odd_b = scaled(simd, B, fma(simd, -A2, d[1], d[3]));
    [
        fma(simd, A2 * B2, d[0], fma(simd, -(A2 + B2), d[2], d[4])),
        simd.add_f32s(even_a, odd_a),
        simd.sub_f32s(even_a, odd_a),
        simd.add_f32s(even_b, odd_b),
        simd.sub_f32s(even_b, odd_b),
        fma(simd, A2 * B2, d[1], fma(simd, -(A2 + B2), d[3], d[5])),
    ]
}

/// Weights to positions.
#[inline(always)]
pub(super) fn weight<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; INPUTS] {
    let even_a = fma(simd, A2 * SCALE_A, g[2], scaled(simd, SCALE_A, g[0]));
    let even_b = fma(simd, B2 * SCALE_B, g[2], scaled(simd, SCALE_B, g[0]));
    let (odd_a, odd_b) = (scaled(simd, A * SCALE_A, g[1]), scaled(simd, B * SCALE_B, g[1]));
    [
        scaled(simd, SCALE_0, g[0]),
        simd.add_f32s(even_a, odd_a),
        simd.sub_f32s(even_a, odd_a),
        simd.add_f32s(even_b, odd_b),
        simd.sub_f32s(even_b, odd_b),
        g[2],
    ]
}

/// Positions to outputs.
#[inline(always)]
pub(super) fn output<S: Simd>(simd: S, m: [S::f32s; INPUTS]) -> [S::f32s; OUTPUTS] {
    let (even_a, odd_a) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (even_b, odd_b) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(simd.add_f32s(m[0], even_a), even_b),
        fma(simd, B, odd_b, scaled(simd, A, odd_a)),
        fma(simd, B2, even_b, scaled(simd, A2, even_a)),
        fma(simd, B2 * B, odd_b, fma(simd, A2 * A, odd_a, m[5])),
    ]
}
