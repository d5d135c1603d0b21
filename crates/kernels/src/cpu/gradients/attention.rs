//! Gradients of attention, from the operands alone: the scores are computed again, for some queries at a time.
//!
//! With `P = softmax(s Q Kᵀ)` and the result's gradient `G`: `dV = Pᵀ G`, `dP = G Vᵀ`, `dS = s P (dP - rowsum(P dP))`,
//! `dQ = dS K`, `dK = dSᵀ Q` (FlashAttention, arXiv 2205.14135, appendix B).

use crate::cpu::activations::{softmax_rows, softmax_slopes};
use crate::cpu::attention::Shape;
use crate::cpu::matrix::{Matrix, multiply};
use rayon::prelude::*;

/// The most queries whose scores are in memory at once, for each thread.
const QUERIES: usize = 256;

/// The gradients of queries, keys and values, each of its operand's shape.
pub(in crate::cpu) struct Gradients {
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
}

/// `q` and `gradient` are `[batch, queries, channels]`, `k` and `v` `[batch, keys, channels]`.
pub(in crate::cpu) fn attention(
    shape: &Shape,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    gradient: &[f32],
) -> Gradients {
    let &Shape { queries, keys, channels, heads, .. } = shape;
    let (batch, depth) = (q.len() / (queries * channels), channels / heads);
    let of_heads: Vec<Gradients> = (0..batch * heads)
        .into_par_iter()
        .map(|task| {
            let (row, head) = (task / heads, task % heads);
            let of = |x: &'_ [f32], count: usize| row * count * channels + head * depth..x.len();
            let [q, gradient] = [q, gradient].map(|x| &x[of(x, queries)]);
            let [k, v] = [k, v].map(|x| &x[of(x, keys)]);
            head_gradients(shape, q, k, v, gradient)
        })
        .collect();
    let mut all = Gradients { q: vec![0.0; q.len()], k: vec![0.0; k.len()], v: vec![0.0; v.len()] };
    for (task, of_head) in of_heads.into_iter().enumerate() {
        let (row, head) = (task / heads, task % heads);
        for (all, own, count) in
            [(&mut all.q, of_head.q, queries), (&mut all.k, of_head.k, keys), (&mut all.v, of_head.v, keys)]
        {
            let lines = all[row * count * channels..(row + 1) * count * channels].chunks_exact_mut(channels);
            for (line, own) in lines.zip(own.chunks_exact(depth)) {
                line[head * depth..(head + 1) * depth].copy_from_slice(own);
            }
        }
    }
    all
}

/// The gradients of one head, without gaps; the operands begin at the head, with the channels of all heads in each line.
fn head_gradients(shape: &Shape, q: &[f32], k: &[f32], v: &[f32], gradient: &[f32]) -> Gradients {
    let &Shape { queries, keys, channels, heads, causal } = shape;
    let depth = channels / heads;
    let scale = 1.0 / (depth as f32).sqrt();
    let lines = |x| Matrix::new(x, keys, depth, channels);
    let (k_lines, v_lines) = (lines(k), lines(v));
    let mut all =
        Gradients { q: vec![0.0; queries * depth], k: vec![0.0; keys * depth], v: vec![0.0; keys * depth] };
    let mut more = vec![0.0; keys * depth];
    let most = QUERIES.min(queries);
    let (mut scores, mut slopes) = (vec![0.0; most * keys], vec![0.0; most * keys]);
    for first in (0..queries).step_by(QUERIES) {
        let count = QUERIES.min(queries - first);
        let block = |x| Matrix::new(x, count, depth, channels);
        let (q, gradient) = (block(&q[first * channels..]), block(&gradient[first * channels..]));
        let (scores, slopes) = (&mut scores[..count * keys], &mut slopes[..count * keys]);
        multiply(scores, q, k_lines.transposed());
        for (i, line) in scores.chunks_exact_mut(keys).enumerate() {
            let seen = if causal { (first + i + 1).min(keys) } else { keys };
            softmax_rows(&mut line[..seen], scale);
            line[seen..].fill(0.0);
        }
        let scores = Matrix::new(scores, count, keys, keys);
        multiply(&mut more, scores.transposed(), gradient);
        add(&mut all.v, &more);
        multiply(slopes, gradient, v_lines.transposed());
        for (slopes, scores) in slopes.chunks_exact_mut(keys).zip(scores.values.chunks_exact(keys)) {
            softmax_slopes(slopes, scores, scale);
        }
        let slopes = Matrix::new(slopes, count, keys, keys);
        multiply(&mut all.q[first * depth..(first + count) * depth], slopes, k_lines);
        multiply(&mut more, slopes.transposed(), q);
        add(&mut all.k, &more);
    }
    all
}

fn add(sums: &mut [f32], more: &[f32]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}
