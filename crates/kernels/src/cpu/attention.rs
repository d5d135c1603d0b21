//! Attention in tiles of queries: only the scores of a tile are in memory, not those of a whole image.

use super::matrix::{Matrix, multiply, with_scratch};
use super::softmax::softmax_down;
use rayon::prelude::*;

/// The shape of one row's attention.
pub(super) struct Shape {
    pub queries: usize,
    pub keys: usize,
    pub channels: usize,
    pub heads: usize,
    pub causal: bool,
}

/// `q` is `[batch, queries, channels]`, `k` and `v` `[batch, keys, channels]`.
pub(super) fn attention(shape: &Shape, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
    let &Shape { queries, keys, channels, heads, causal } = shape;
    let width = channels / heads;
    let scale = 1.0 / (width as f32).sqrt();
    // The scores of a tile should fit in a core's own cache.
    let tile = if keys > 1024 { 32 } else { 64 }.min(queries);
    let mut out = vec![0.0; q.len()];
    tiles(shape, tile, &mut out).into_par_iter().for_each(|(row, first, head, lines)| {
        let count = lines.len();
        let of_row = |x: &[f32], tokens: usize, first: usize| {
            (row * tokens + first) * channels + head * width..x.len()
        };
        let q = Matrix::new(&q[of_row(q, queries, first)], count, width, channels);
        let k = Matrix::new(&k[of_row(k, keys, 0)], keys, width, channels);
        let v = Matrix::new(&v[of_row(v, keys, 0)], keys, width, channels);
        with_scratch(keys * count + count * width + 2 * count, |scratch| {
            let (scores, rest) = scratch.split_at_mut(keys * count);
            let (result, rest) = rest.split_at_mut(count * width);
            let (most, total) = rest.split_at_mut(count);
            // One line per key, so that the softmax is vectorised across queries without sums inside a register.
            multiply(scores, k, q.transposed());
            if causal {
                for (key, line) in scores.chunks_mut(count).enumerate() {
                    let masked = key.saturating_sub(first).min(count);
                    line[..masked].fill(f32::NEG_INFINITY);
                }
            }
            softmax_down(scores, scale, most, total);
            multiply(result, Matrix::new(scores, keys, count, count).transposed(), v);
            for ((line, result), total) in lines.into_iter().zip(result.chunks(width)).zip(&*total) {
                line.iter_mut().zip(result).for_each(|(out, x)| *out = x / total);
            }
        });
    });
    out
}

/// Row of the batch, first query, head, and the result slice of each query.
fn tiles<'a>(
    shape: &Shape,
    tile: usize,
    out: &'a mut [f32],
) -> Vec<(usize, usize, usize, Vec<&'a mut [f32]>)> {
    let (channels, width) = (shape.channels, shape.channels / shape.heads);
    let mut tiles = Vec::new();
    for (row, out) in out.chunks_mut(shape.queries * channels).enumerate() {
        for (i, out) in out.chunks_mut(tile * channels).enumerate() {
            let mut lines: Vec<_> = out.chunks_mut(channels).map(|line| line.chunks_mut(width)).collect();
            for head in 0..shape.heads {
                tiles.push((row, i * tile, head, lines.iter_mut().filter_map(Iterator::next).collect()));
            }
        }
    }
    tiles
}
