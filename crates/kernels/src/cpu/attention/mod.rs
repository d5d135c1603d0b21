//! Attention in tiles of queries and blocks of keys: scores are in memory for one block at a time, and results are
//! rescaled when a later block has a larger score (FlashAttention, arXiv 2205.14135).
//!
//! Tiles and blocks depend on the shapes of one row only. Everything of a tile is transposed, so that a vector is 16 queries
//! and nothing is summed inside of one.

mod operands;
mod softmax;

use super::matrix::with_scratch;
use super::memory::unwritten;
use super::products::PanelWidth;
use super::shared::SharedSlice;
pub(super) use operands::Shape;
use operands::{Operands, Panel};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use softmax::Softmax;

/// The most keys of a block: its scores, 64 KiB, stay in a core's second-level cache.
const KEYS: usize = 256;

/// `q` is `[batch, queries, channels]`, `k` and `v` `[batch, keys, channels]`. With `in_bf16`, products are those of numbers
/// rounded to bf16, with sums and softmax in f32.
pub(super) fn attention(shape: &Shape, q: &[f32], k: &[f32], v: &[f32], in_bf16: bool) -> Vec<f32> {
    let &Shape { queries, channels, heads, .. } = shape;
    let arch = Arch::new();
    let width = arch.dispatch(PanelWidth);
    // SAFETY: the tasks below write every channel of every head of every query.
    #[allow(unsafe_code)]
    let mut values = unsafe { unwritten(q.len()) };
    let out = SharedSlice::new(&mut values);
    let batch = q.len() / (queries * channels);
    Operands::with(shape, batch, k, v, in_bf16, |operands| {
        let tiles = queries.div_ceil(width);
        (0..batch * heads * tiles).into_par_iter().for_each(|task| {
            let (row, head, first) = (task / tiles / heads, task / tiles % heads, task % tiles * width);
            let tile = Tile { shape, row, head, first, width };
            let lens = [shape.depth() * width, width, KEYS.min(shape.keys) * width, width, width];
            with_scratch(lens.iter().sum(), |mut scratch| {
                let [result, total, scores, most, factor] =
                    lens.map(|len| scratch.split_off_mut(..len).unwrap_or_default());
                // The queries are transposed where the result will be.
                tile.transpose_queries(q, result);
                let panel = operands.panel(result);
                let softmax = Softmax { scores, most, total, factor };
                arch.dispatch(Blocks { tile: &tile, operands, panel, softmax, result });
                tile.write(result, total, out);
            });
        });
    });
    values
}

/// Some neighbouring queries of a head.
struct Tile<'a> {
    shape: &'a Shape,
    row: usize,
    head: usize,
    /// The first query.
    first: usize,
    /// How many queries a tile has; those beyond the last one are zeros.
    width: usize,
}

/// The blocks of keys of a tile.
struct Blocks<'a> {
    tile: &'a Tile<'a>,
    operands: &'a Operands<'a>,
    panel: Panel,
    softmax: Softmax<'a>,
    /// `[depth, width]`, written: not yet divided by the total.
    result: &'a mut [f32],
}

impl WithSimd for Blocks<'_> {
    type Output = ();

    // Loops instead of closures: a function that is not inlined would be compiled without the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Blocks { tile, operands, panel, softmax, result } = self;
        let Softmax { scores, most, total, factor } = softmax;
        let (head, keys, width) = ((tile.row, tile.head), tile.shape.keys, tile.width);
        let mut words = Vec::new();
        most.fill(f32::NEG_INFINITY);
        total.fill(0.0);
        for from in (0..keys).step_by(KEYS) {
            let block = from..keys.min(from + KEYS);
            let scores = &mut scores[..block.len() * width];
            operands.scores(simd, head, block.clone(), &panel, scores);
            if tile.shape.causal {
                for (key, line) in block.clone().zip(scores.chunks_mut(width)) {
                    line[..key.saturating_sub(tile.first).min(width)].fill(f32::NEG_INFINITY);
                }
            }
            Softmax { scores, most, total, factor }.with_simd(simd);
            if from > 0 {
                for line in result.chunks_mut(width) {
                    for (x, factor) in line.iter_mut().zip(&*factor) {
                        *x *= factor;
                    }
                }
            }
            operands.add_values(simd, head, block, (scores, &mut words), result, from == 0);
        }
    }
}

impl Tile<'_> {
    /// The places of its queries in `[batch, queries, channels]`.
    fn places(&self) -> impl Iterator<Item = usize> {
        let &Shape { queries, channels, .. } = self.shape;
        let of_tile = self.first..queries.min(self.first + self.width);
        of_tile.map(move |query| (self.row * queries + query) * channels + self.head * self.shape.depth())
    }

    /// `[depth, width]`, scaled so that scores are exponents of 2.
    fn transpose_queries(&self, q: &[f32], panel: &mut [f32]) {
        let scale = std::f32::consts::LOG2_E / (self.shape.depth() as f32).sqrt();
        panel.fill(0.0);
        for (j, at) in self.places().enumerate() {
            for (line, x) in panel.chunks_mut(self.width).zip(&q[at..]) {
                line[j] = x * scale;
            }
        }
    }

    /// Writes the result, `[depth, width]`, divided by the sums of the columns.
    fn write(&self, result: &[f32], total: &[f32], out: SharedSlice) {
        for (j, at) in self.places().enumerate() {
            // SAFETY: no other task has these queries and this head.
            #[allow(unsafe_code)]
            let out = unsafe { out.part(at, self.shape.depth()) };
            for (out, line) in out.iter_mut().zip(result.chunks(self.width)) {
                *out = line[j] / total[j];
            }
        }
    }
}
