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

/// Calls a function of `avx512`; on other processors than x86-64 takes the value after `or`.
macro_rules! with_instructions {
    ($module:ident::$name:ident($($argument:expr),*) or $other:expr) => {{
        #[cfg(target_arch = "x86_64")]
        {
            assert!(is_supported(), "products in bf16 without their instructions");
            // SAFETY: the processor has the instructions.
            #[allow(unsafe_code)]
            unsafe {
                $module::$name($($argument),*)
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        $other
    }};
}

/// Columns of a panel.
pub(super) const WIDTH: usize = 64;

/// Numbers in bf16, two neighbours along the depth in one word; zeros fill the last one.
#[derive(Default)]
pub(super) struct Pairs {
    pub words: Vec<u32>,
    /// Words along the depth.
    pub depth: usize,
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

/// A line of numbers, rounded; the last word has a zero if their count is odd.
pub(super) fn round_line(words: &mut [u32], line: &[f32]) {
    let whole = with_instructions!(avx512::round_line(words, line) or 0);
    let (pairs, odd) = line[whole..].as_chunks::<2>();
    let words = &mut words[whole / 2..];
    for (word, [x, y]) in words.iter_mut().zip(pairs) {
        *word = word_of(rounded(*x), rounded(*y));
    }
    if let (Some(word), [x]) = (words.last_mut(), odd) {
        *word = word_of(rounded(*x), 0);
    }
}

/// Two lines of numbers, rounded, as the words of a panel.
pub(super) fn round_lines(words: &mut [u32], first: &[f32], second: &[f32]) {
    let whole = with_instructions!(avx512::round_lines(words, first, second) or 0);
    for ((word, x), y) in words.iter_mut().zip(first).zip(second).skip(whole) {
        *word = word_of(rounded(*x), rounded(*y));
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

/// The bits of a number rounded to the nearest bf16, to the even one of two; NaN stays NaN. What is below 2^-126 becomes
/// zero, as the instructions have it.
fn rounded(x: f32) -> u16 {
    let x = if x.is_subnormal() { 0f32.copysign(x) } else { x };
    bf16::from_f32(x).to_bits()
}

/// Writes the products of lines and a panel to `sums`, `[lines, WIDTH]`, or adds them if they are not the `first`.
///
/// `x` are the words of the lines, `stride` words apart; `panel` is `[depth, WIDTH]`.
///
/// # Panics
///
/// Without the instructions, see [`is_supported`], or if the shapes do not match.
pub(super) fn multiply((x, stride): (&[u32], usize), panel: &[u32], sums: &mut [f32], first: bool) {
    with_instructions!(
        avx512::multiply(x, stride, panel, sums, first)
            or unreachable!("products in bf16 without their instructions: {:?}", (x, stride, panel, sums, first))
    );
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::super::products::LINES;
    use super::WIDTH;
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm256_setr_epi8, _mm512_castsi512_ps, _mm512_cvtepu8_epi16,
        _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutexvar_epi16,
        _mm512_set1_epi32, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps, _mm512_storeu_si512,
    };

    const VECTORS: usize = WIDTH / 16;
    /// Words along the depth whose part of the panel, 160 KiB, stays in a core's second-level cache.
    const DEPTH: usize = 640;

    /// Whole vectors of [`super::round_line`]; returns how many numbers they have.
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[allow(unsafe_code)]
    pub(super) fn round_line(words: &mut [u32], line: &[f32]) -> usize {
        let (line, _) = line.as_chunks::<32>();
        for (words, line) in words.as_chunks_mut::<16>().0.iter_mut().zip(line) {
            // SAFETY: two times 16 numbers are read from an array of 32, and 16 words written to an array of 16.
            unsafe {
                let (first, second) = (_mm512_loadu_ps(line.as_ptr()), _mm512_loadu_ps(line[16..].as_ptr()));
                _mm512_storeu_si512(words.as_mut_ptr().cast(), words_of(_mm512_cvtne2ps_pbh(second, first)));
            }
        }
        line.len() * 32
    }

    /// Whole vectors of [`super::round_lines`]; returns how many words they are.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    #[allow(unsafe_code)]
    pub(super) fn round_lines(words: &mut [u32], first: &[f32], second: &[f32]) -> usize {
        let (words, _) = words.as_chunks_mut::<16>();
        let (first, second) = (first.as_chunks::<16>().0, second.as_chunks::<16>().0);
        // The first 16 halves alternate with the last 16.
        let order = _mm512_cvtepu8_epi16(_mm256_setr_epi8(
            0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
            29, 14, 30, 15, 31,
        ));
        for ((words, first), second) in words.iter_mut().zip(first).zip(second) {
            // SAFETY: 16 numbers are read from each of two arrays of 16, and 16 words written to an array of 16.
            unsafe {
                let (first, second) = (_mm512_loadu_ps(first.as_ptr()), _mm512_loadu_ps(second.as_ptr()));
                let halves = words_of(_mm512_cvtne2ps_pbh(second, first));
                _mm512_storeu_si512(words.as_mut_ptr().cast(), _mm512_permutexvar_epi16(order, halves));
            }
        }
        words.len().min(first.len()).min(second.len()) * 16
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn multiply(x: &[u32], stride: usize, panel: &[u32], sums: &mut [f32], first: bool) {
        let (depth, lines) = (panel.len() / WIDTH, sums.len() / WIDTH);
        let groups = lines.div_ceil(LINES);
        for from in (0..depth).step_by(DEPTH) {
            let panel = &panel[from * WIDTH..depth.min(from + DEPTH) * WIDTH];
            for group in 0..groups {
                let (start, end) = (group * lines / groups, (group + 1) * lines / groups);
                let x = &x[start * stride + from..];
                let sums = &mut sums[start * WIDTH..end * WIDTH];
                let first = first && from == 0;
                match end - start {
                    6 => product::<6>(x, stride, panel, sums, first),
                    5 => product::<5>(x, stride, panel, sums, first),
                    4 => product::<4>(x, stride, panel, sums, first),
                    3 => product::<3>(x, stride, panel, sums, first),
                    2 => product::<2>(x, stride, panel, sums, first),
                    _ => product::<1>(x, stride, panel, sums, first),
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    #[allow(unsafe_code)]
    fn product<const R: usize>(x: &[u32], stride: usize, panel: &[u32], out: &mut [f32], first: bool) {
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
            let mut vectors = [pairs(_mm512_setzero_si512()); VECTORS];
            for (vector, words) in vectors.iter_mut().zip(words.as_chunks::<16>().0) {
                // SAFETY: 16 words are read from an array of 16.
                *vector = pairs(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) });
            }
            let [v0, v1, v2, v3] = vectors;
            for (sums, line) in sums.iter_mut().zip(lines) {
                let pair = pairs(_mm512_set1_epi32(line[at].cast_signed()));
                // A loop over the vectors is unrolled too late for the compiler to keep all sums in registers: it stored
                // half of them in each iteration, which took half of the time.
                let [s0, s1, s2, s3] = *sums;
                *sums = [
                    _mm512_dpbf16_ps(s0, pair, v0),
                    _mm512_dpbf16_ps(s1, pair, v1),
                    _mm512_dpbf16_ps(s2, pair, v2),
                    _mm512_dpbf16_ps(s3, pair, v3),
                ];
            }
        }
        for (sums, out) in sums.iter().zip(out.as_chunks_mut::<WIDTH>().0) {
            for (&sum, out) in sums.iter().zip(out.as_chunks_mut::<16>().0) {
                // SAFETY: 16 numbers are written to an array of 16.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sum) };
            }
        }
    }

    /// The same bits as 16 words.
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    #[allow(unsafe_code)]
    fn words_of(pairs: __m512bh) -> __m512i {
        // SAFETY: both are 512 bits of plain data.
        unsafe { std::mem::transmute::<__m512bh, __m512i>(pairs) }
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
