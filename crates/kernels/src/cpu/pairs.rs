//! Products of numbers rounded to bf16, with sums in f32, by the instruction that multiplies pairs (AVX512-BF16).

use half::bf16;
use multiversion::multiversion;
use std::ops::Range;

/// Whether the processor has the instructions.
pub(super) fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Numbers in bf16, two neighbours along the depth in one word; zeros fill the last one.
#[derive(Default)]
pub(super) struct Pairs {
    words: Vec<u32>,
    /// Words along the depth.
    depth: usize,
}

impl Pairs {
    /// `[lines, depth]` of lines of `len` numbers.
    pub(super) fn of_lines(x: &[f32], len: usize) -> Pairs {
        let depth = len.div_ceil(2);
        let mut words = vec![0; x.len() / len * depth];
        words.chunks_mut(depth).zip(x.chunks(len)).for_each(|(words, line)| round_line(words, line));
        Pairs { words, depth }
    }

    /// Becomes `[depth, width]`: some columns of a matrix with `stride` columns, and zeros beyond them.
    pub(super) fn fill_with_panel(
        &mut self,
        matrix: &[bf16],
        stride: usize,
        columns: Range<usize>,
        width: usize,
    ) {
        self.depth = (matrix.len() / stride).div_ceil(2);
        self.words.clear();
        self.words.resize(self.depth * width, 0);
        for (words, lines) in self.words.chunks_mut(width).zip(matrix.chunks(2 * stride)) {
            let (first, second) = lines.split_at(stride);
            let first = &first[columns.clone()];
            interleave(words, first, second.get(columns.clone()));
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq"))]
fn round_line(words: &mut [u32], line: &[f32]) {
    let (whole, rest) = line.as_chunks::<2>();
    for (word, [x, y]) in words.iter_mut().zip(whole) {
        *word = word_of(rounded(*x), rounded(*y));
    }
    if let (Some(word), [x]) = (words.last_mut(), rest) {
        *word = word_of(rounded(*x), 0);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq"))]
fn interleave(words: &mut [u32], first: &[bf16], second: Option<&[bf16]>) {
    match second {
        Some(second) => {
            for ((word, x), y) in words.iter_mut().zip(first).zip(second) {
                *word = word_of(x.to_bits(), y.to_bits());
            }
        }
        None => words.iter_mut().zip(first).for_each(|(word, x)| *word = word_of(x.to_bits(), 0)),
    }
}

#[inline(always)]
fn word_of(first: u16, second: u16) -> u32 {
    u32::from(first) | u32::from(second) << 16
}

/// The bits of a number rounded to the nearest bf16, to the even one of two; NaN stays NaN.
#[inline(always)]
fn rounded(x: f32) -> u16 {
    let bits = x.to_bits();
    let up = 0x7fff + (bits >> 16 & 1);
    let whole = bits.wrapping_add(up) >> 16;
    (if x.is_nan() { bits >> 16 | 0x40 } else { whole }) as u16
}

/// Writes the products of all lines and a panel to `sums`, `[lines, width]`; `width` is 64.
///
/// # Panics
///
/// Without the instructions, see [`is_supported`], or if the shapes do not match.
#[cfg(target_arch = "x86_64")]
pub(super) fn multiply(x: &Pairs, panel: &Pairs, width: usize, sums: &mut [f32]) {
    assert!(is_supported() && width == avx512::WIDTH, "products in bf16 without their instructions");
    let lines = x.words.len() / x.depth;
    assert!(x.depth == panel.depth && panel.words.len() == x.depth * width && sums.len() == lines * width);
    // SAFETY: the processor has the instructions, and the lengths are those that the function asks for.
    #[allow(unsafe_code)]
    unsafe {
        avx512::multiply(&x.words, &panel.words, x.depth, sums);
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn multiply(_: &Pairs, _: &Pairs, _: usize, _: &mut [f32]) {
    unreachable!("products in bf16 without their instructions")
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::super::products::LINES;
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_castsi512_ps, _mm512_dpbf16_ps, _mm512_loadu_ps,
        _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    const VECTORS: usize = 4;
    /// Columns of a panel.
    pub(super) const WIDTH: usize = 16 * VECTORS;
    /// Words along the depth whose part of the panel, 160 KiB, stays in a core's second-level cache.
    const DEPTH: usize = 640;

    /// # Safety
    ///
    /// The processor has AVX-512 F and BF16; `x` is `[lines, depth]`, `panel` `[depth, WIDTH]`, `sums` `[lines, WIDTH]`.
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[allow(unsafe_code)]
    pub(super) unsafe fn multiply(x: &[u32], panel: &[u32], depth: usize, sums: &mut [f32]) {
        let lines = x.len() / depth;
        let groups = lines.div_ceil(LINES);
        for first in (0..depth).step_by(DEPTH) {
            let panel = &panel[first * WIDTH..depth.min(first + DEPTH) * WIDTH];
            for group in 0..groups {
                let (start, end) = (group * lines / groups, (group + 1) * lines / groups);
                let x = &x[start * depth + first..];
                let sums = &mut sums[start * WIDTH..end * WIDTH];
                // SAFETY: as for this function.
                unsafe {
                    match end - start {
                        6 => product::<6>(x, depth, panel, sums, first == 0),
                        5 => product::<5>(x, depth, panel, sums, first == 0),
                        4 => product::<4>(x, depth, panel, sums, first == 0),
                        3 => product::<3>(x, depth, panel, sums, first == 0),
                        2 => product::<2>(x, depth, panel, sums, first == 0),
                        _ => product::<1>(x, depth, panel, sums, first == 0),
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    #[allow(unsafe_code)]
    unsafe fn product<const R: usize>(x: &[u32], stride: usize, panel: &[u32], out: &mut [f32], first: bool) {
        let mut sums = [[_mm512_setzero_ps(); VECTORS]; R];
        if !first {
            for (sums, out) in sums.iter_mut().zip(out.as_chunks::<WIDTH>().0) {
                for (sum, out) in sums.iter_mut().zip(out.as_chunks::<16>().0) {
                    // SAFETY: 16 numbers are read from an array of 16.
                    *sum = unsafe { _mm512_loadu_ps(out.as_ptr()) };
                }
            }
        }
        let (panel, _) = panel.as_chunks::<WIDTH>();
        let mut lines: [&[u32]; R] = [&[]; R];
        for (r, line) in lines.iter_mut().enumerate() {
            *line = &x[r * stride..][..panel.len()];
        }
        for (at, words) in panel.iter().enumerate() {
            let mut vectors = [_mm512_set1_epi32(0); VECTORS];
            for (vector, words) in vectors.iter_mut().zip(words.as_chunks::<16>().0) {
                // SAFETY: 16 words are read from an array of 16.
                *vector = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
            }
            for (sums, line) in sums.iter_mut().zip(lines) {
                let pair = pairs(_mm512_set1_epi32(line[at].cast_signed()));
                for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                    *sum = _mm512_dpbf16_ps(*sum, pair, pairs(vector));
                }
            }
        }
        for (sums, out) in sums.iter().zip(out.as_chunks_mut::<WIDTH>().0) {
            for (&sum, out) in sums.iter().zip(out.as_chunks_mut::<16>().0) {
                // SAFETY: 16 numbers are written to an array of 16.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sum) };
            }
        }
    }

    /// The same bits as 32 numbers.
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    #[allow(unsafe_code)]
    fn pairs(words: __m512i) -> __m512bh {
        // SAFETY: both are 512 bits of plain data.
        unsafe { std::mem::transmute::<__m512, __m512bh>(_mm512_castsi512_ps(words)) }
    }
}
