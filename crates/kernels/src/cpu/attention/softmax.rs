//! Softmax down the columns of a block of scores, continued from block to block.

use pulp::{Simd, WithSimd};

/// Replaces scores by 2^(x - the column's maximum so far), not yet divided by `total`.
pub(super) struct Softmax<'a> {
    /// `[keys, width]`, exponents of 2; the width is that of a panel of products.
    pub scores: &'a mut [f32],
    /// `[width]`, the maxima of the blocks before; updated.
    pub most: &'a mut [f32],
    /// `[width]`, the sums of the blocks before; updated.
    pub total: &'a mut [f32],
    /// `[width]`, written: what the results of the blocks before have to be multiplied with.
    pub factor: &'a mut [f32],
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.most.len() / S::F32_LANES {
            4 => self.columns::<S, 4>(simd),
            _ => self.columns::<S, 2>(simd),
        }
    }
}

impl Softmax<'_> {
    #[inline(always)]
    fn columns<S: Simd, const N: usize>(self, simd: S) {
        let (scores, _) = S::as_mut_simd_f32s(self.scores);
        let (scores, _) = scores.as_chunks_mut::<N>();
        let mut most = vectors::<S, N>(self.most);
        for line in &*scores {
            for (most, &x) in most.iter_mut().zip(line) {
                *most = simd.select_f32s(simd.less_than_f32s(*most, x), x, *most);
            }
        }
        let mut factor = vectors::<S, N>(self.most);
        let mut total = vectors::<S, N>(self.total);
        for ((factor, total), &most) in factor.iter_mut().zip(&mut total).zip(&most) {
            *factor = power_of_2(simd, simd.sub_f32s(*factor, most));
            *total = simd.mul_f32s(*total, *factor);
        }
        for line in scores {
            for ((x, total), &most) in line.iter_mut().zip(&mut total).zip(&most) {
                *x = power_of_2(simd, simd.sub_f32s(*x, most));
                *total = simd.add_f32s(*total, *x);
            }
        }
        for (values, vectors) in [(self.most, most), (self.total, total), (self.factor, factor)] {
            S::as_mut_simd_f32s(values).0.copy_from_slice(&vectors);
        }
    }
}

#[inline(always)]
fn vectors<S: Simd, const N: usize>(values: &[f32]) -> [S::f32s; N] {
    let mut vectors = [S::as_simd_f32s(values).0[0]; N];
    vectors.copy_from_slice(S::as_simd_f32s(values).0);
    vectors
}

/// 2^x for x up to 0, to about 2 parts in 10^7; what is below 2^-126 becomes that. Cephes' polynomial (`exp2f.c`).
#[inline(always)]
fn power_of_2<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // Adding this leaves the nearest integer in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    let least = simd.splat_f32s(-126.0);
    let x = simd.select_f32s(simd.less_than_f32s(x, least), least, x);
    let rounded = simd.add_f32s(x, simd.splat_f32s(ROUND));
    let rest = simd.sub_f32s(x, simd.sub_f32s(rounded, simd.splat_f32s(ROUND)));
    let mut power = simd.splat_f32s(1.535_336_2e-4);
    for coefficient in [1.339_887_5e-3, 9.618_437e-3, 5.550_332_5e-2, 2.402_264_8e-1, 6.931_472e-1, 1.0] {
        power = simd.mul_add_e_f32s(power, rest, simd.splat_f32s(coefficient));
    }
    // The integer is added to the exponent.
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(power), exponent))
}
