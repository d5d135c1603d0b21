//! The product of a few lines and a panel of a matrix, whose sums stay in registers.
//!
//! Every sum is one chain over the depth in its order, whatever the instruction set and the number of lines, so a line's
//! result never depends on the lines beside it.

use pulp::{Simd, WithSimd};

/// The most lines of a product: with the outputs of [`PanelWidth`], their sums stay in registers.
pub(super) const LINES: usize = 6;
/// Depth of a panel: with it, a panel stays in a core's second-level cache and the lines in its first.
pub(super) const DEPTH: usize = 320;

/// The outputs of a panel, a multiple of a vector's length.
pub(super) struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        // AVX2 has 16 registers; AVX-512 and NEON have 32.
        S::F32_LANES * if S::F32_LANES == 8 { 2 } else { 4 }
    }
}

/// Splits a depth evenly into parts of at most `most`, multiples of 16 except the last one.
pub(super) fn depths(depth: usize, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let part = depth.div_ceil(depth.div_ceil(most).max(1)).next_multiple_of(16);
    (0..depth).step_by(part).map(move |first| first..depth.min(first + part))
}

/// Adds the products of `count` lines of `x` and a panel to `sums`, or writes them there if they are the `first`.
///
/// The lines of `x` and `sums` are a given number of values apart. `panel` is `[depth, width]`, one to four vectors wide.
#[inline(always)]
pub(super) fn multiply_lines<S: Simd>(
    simd: S,
    count: usize,
    (x, x_stride): (&[f32], usize),
    panel: &[f32],
    width: usize,
    (sums, sums_stride): (&mut [f32], usize),
    first: bool,
) {
    let groups = count.div_ceil(LINES);
    for group in 0..groups {
        let (start, end) = (group * count / groups, (group + 1) * count / groups);
        let x = (&x[start * x_stride..], x_stride);
        let sums = (&mut sums[start * sums_stride..], sums_stride);
        multiply(simd, end - start, x, panel, width, sums, first);
    }
}

/// The same of at most [`LINES`] lines.
#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    count: usize,
    x: (&[f32], usize),
    panel: &[f32],
    width: usize,
    sums: (&mut [f32], usize),
    first: bool,
) {
    match width / S::F32_LANES {
        4 => by_count::<S, 4>(simd, count, x, panel, sums, first),
        3 => by_count::<S, 3>(simd, count, x, panel, sums, first),
        2 => by_count::<S, 2>(simd, count, x, panel, sums, first),
        _ => by_count::<S, 1>(simd, count, x, panel, sums, first),
    }
}

#[inline(always)]
fn by_count<S: Simd, const N: usize>(
    simd: S,
    count: usize,
    x: (&[f32], usize),
    panel: &[f32],
    sums: (&mut [f32], usize),
    first: bool,
) {
    match count {
        6 => product::<S, 6, N>(simd, x, panel, sums, first),
        5 => product::<S, 5, N>(simd, x, panel, sums, first),
        4 => product::<S, 4, N>(simd, x, panel, sums, first),
        3 => product::<S, 3, N>(simd, x, panel, sums, first),
        2 => product::<S, 2, N>(simd, x, panel, sums, first),
        _ => product::<S, 1, N>(simd, x, panel, sums, first),
    }
}

#[inline(always)]
fn product<S: Simd, const R: usize, const N: usize>(
    simd: S,
    (x, x_stride): (&[f32], usize),
    panel: &[f32],
    (out, out_stride): (&mut [f32], usize),
    first: bool,
) {
    let mut sums = [[simd.splat_f32s(0.0); N]; R];
    if !first {
        for (r, sums) in sums.iter_mut().enumerate() {
            let (out, _) = S::as_simd_f32s(&out[r * out_stride..]);
            sums.copy_from_slice(&out[..N]);
        }
    }
    let (panel, _) = S::as_simd_f32s(panel);
    let (panel, _) = panel.as_chunks::<N>();
    let depth = panel.len();
    let mut lines: [&[f32]; R] = [&[]; R];
    for (r, line) in lines.iter_mut().enumerate() {
        *line = &x[r * x_stride..][..depth];
    }
    for (at, vectors) in panel.iter().enumerate() {
        for (sums, line) in sums.iter_mut().zip(lines) {
            let x = simd.splat_f32s(line[at]);
            for (sum, &vector) in sums.iter_mut().zip(vectors) {
                *sum = simd.mul_add_e_f32s(x, vector, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let (out, _) = S::as_mut_simd_f32s(&mut out[r * out_stride..]);
        out[..N].copy_from_slice(sums);
    }
}
