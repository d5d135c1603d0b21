//! Keys and values as the products read them, in f32 or as pairs in bf16.

use crate::cpu::matrix::with_buffer;
use crate::cpu::pairs::{self, round_line, round_lines};
use crate::cpu::products::multiply_lines;
use pulp::Simd;
use rayon::prelude::*;
use std::ops::Range;

/// The shape of one row's attention.
pub struct Shape {
    pub queries: usize,
    pub keys: usize,
    pub channels: usize,
    pub heads: usize,
    pub causal: bool,
}

impl Shape {
    /// Channels of a head.
    pub fn depth(&self) -> usize {
        self.channels / self.heads
    }
}

/// A line of cache between lines of values; without it a power of two of keys would put all of them in the same sets.
const GAP: usize = 16;

/// Keys and values of a batch.
pub(super) struct Operands<'a> {
    shape: &'a Shape,
    values: Values<'a>,
}

enum Values<'a> {
    F32 {
        /// `[batch, keys, channels]`
        k: &'a [f32],
        /// `[batch, heads, depth, keys + GAP]`
        v: &'a [f32],
    },
    Bf16 {
        /// `[batch, heads, keys, words of the depth]`
        k: Vec<u32>,
        /// `[batch, heads, depth, words of the keys + GAP]`
        v: Vec<u32>,
    },
}

/// Queries as the right-hand side of the scores.
pub(super) enum Panel {
    F32(Vec<f32>),
    Bf16(Vec<u32>),
}

impl<'a> Operands<'a> {
    /// Calls `run` with keys and values; memory for them is lent.
    pub(super) fn with<R>(
        shape: &'a Shape,
        batch: usize,
        k: &'a [f32],
        v: &'a [f32],
        in_bf16: bool,
        run: impl FnOnce(&Operands) -> R,
    ) -> R {
        let &Shape { keys, channels, heads, .. } = shape;
        let (depth, stride) = (shape.depth(), keys + GAP);
        with_buffer(batch * channels * stride, |transposed| {
            transposed.par_chunks_mut(depth * stride).enumerate().for_each(|(at, out)| {
                let (row, head) = (at / heads, at % heads);
                transpose(&v[row * keys * channels + head * depth..], channels, keys, out, stride);
            });
            if !in_bf16 {
                return run(&Operands { shape, values: Values::F32 { k, v: transposed } });
            }
            let mut k_words = vec![0; batch * heads * keys * depth.div_ceil(2)];
            k_words.par_chunks_mut(keys * depth.div_ceil(2)).enumerate().for_each(|(at, words)| {
                let (row, head) = (at / heads, at % heads);
                for (key, words) in words.chunks_mut(depth.div_ceil(2)).enumerate() {
                    round_line(words, &k[(row * keys + key) * channels + head * depth..][..depth]);
                }
            });
            let words = keys.div_ceil(2) + GAP;
            let mut v_words = vec![0; batch * channels * words];
            v_words.par_chunks_mut(words).zip(transposed.par_chunks(stride)).for_each(|(words, line)| {
                round_line(&mut words[..keys.div_ceil(2)], &line[..keys]);
            });
            run(&Operands { shape, values: Values::Bf16 { k: k_words, v: v_words } })
        })
    }

    /// Queries `[depth, width]` as the products read them.
    pub(super) fn panel(&self, q: &[f32]) -> Panel {
        match &self.values {
            Values::F32 { .. } => Panel::F32(q.to_vec()),
            Values::Bf16 { .. } => {
                let mut panel = Vec::new();
                fill_with_words(&mut panel, q);
                Panel::Bf16(panel)
            }
        }
    }

    /// Writes the products of a block of keys and all queries, `[keys of the block, width]`.
    #[inline(always)]
    pub(super) fn scores<S: Simd>(
        &self,
        simd: S,
        (row, head): (usize, usize),
        block: Range<usize>,
        q: &Panel,
        scores: &mut [f32],
    ) {
        let &Shape { keys, channels, heads, .. } = self.shape;
        let (depth, width) = (self.shape.depth(), scores.len() / block.len());
        match (&self.values, q) {
            (Values::F32 { k, .. }, Panel::F32(q)) => {
                let k = &k[(row * keys + block.start) * channels + head * depth..];
                multiply_lines(simd, block.len(), (k, channels), q, width, (scores, width), true);
            }
            (Values::Bf16 { k, .. }, Panel::Bf16(q)) => {
                let stride = depth.div_ceil(2);
                let k = &k[((row * heads + head) * keys + block.start) * stride..];
                pairs::multiply((k, stride), q, scores, true);
            }
            _ => unreachable!("operands in two formats"),
        }
    }

    /// Adds the products of values and weights of a block of keys to `result`, `[depth, width]`, or writes them there if
    /// they are the `first`. `words` is memory for the weights in bf16.
    #[inline(always)]
    pub(super) fn add_values<S: Simd>(
        &self,
        simd: S,
        (row, head): (usize, usize),
        block: Range<usize>,
        (weights, words): (&[f32], &mut Vec<u32>),
        result: &mut [f32],
        first: bool,
    ) {
        let &Shape { keys, heads, .. } = self.shape;
        let (depth, width) = (self.shape.depth(), weights.len() / block.len());
        let line = (row * heads + head) * depth;
        match &self.values {
            Values::F32 { v, .. } => {
                let stride = keys + GAP;
                let v = &v[line * stride + block.start..];
                multiply_lines(simd, depth, (v, stride), weights, width, (result, width), first);
            }
            Values::Bf16 { v, .. } => {
                let stride = keys.div_ceil(2) + GAP;
                let v = &v[line * stride + block.start / 2..];
                fill_with_words(words, weights);
                pairs::multiply((v, stride), words, result, first);
            }
        }
    }
}

/// Makes `words` the lines of a panel of pairs, from lines of numbers; zeros beside an odd last one.
fn fill_with_words(words: &mut Vec<u32>, panel: &[f32]) {
    let zeros = [0.0; pairs::WIDTH];
    // No zeros are written where the length stays the same.
    words.resize(panel.len().div_ceil(2 * pairs::WIDTH) * pairs::WIDTH, 0);
    for (words, lines) in words.chunks_mut(pairs::WIDTH).zip(panel.chunks(2 * pairs::WIDTH)) {
        let (first, second) = lines.split_at(pairs::WIDTH);
        round_lines(words, first, if second.is_empty() { &zeros } else { second });
    }
}

/// `[keys, depth]` with lines `channels` apart to `[depth, keys]` with lines `stride` apart.
fn transpose(v: &[f32], channels: usize, keys: usize, out: &mut [f32], stride: usize) {
    // Whole lines of cache are written.
    const KEYS: usize = 16;
    for first in (0..keys).step_by(KEYS) {
        for (i, line) in out.chunks_mut(stride).enumerate() {
            for (key, out) in (first..keys.min(first + KEYS)).zip(&mut line[first..]) {
                *out = v[key * channels + i];
            }
        }
    }
}
