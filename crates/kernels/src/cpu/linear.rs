//! Linear layers.

use super::matrix::{Matrix, multiply};
use rayon::prelude::*;

/// The shape of one row's layer; the weight is `[inputs, outputs]`.
pub(super) struct Shape {
    pub tokens: usize,
    pub inputs: usize,
    pub outputs: usize,
}

impl Shape {
    /// How many tokens a task computes: about eight tasks per row, depending only on the shape of one row.
    fn tile(&self) -> usize {
        self.tokens.div_ceil(8).next_multiple_of(16).clamp(16, 128).min(self.tokens)
    }
}

/// `x` is `[batch, tokens, inputs]`, the result and `residual` `[batch, tokens, outputs]`.
pub(super) fn linear(
    shape: &Shape,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let &Shape { tokens, inputs, outputs } = shape;
    let batch = x.len() / (tokens * inputs);
    let weight = Matrix::new(weight, inputs, outputs, outputs);
    let mut out = vec![0.0; batch * tokens * outputs];
    tiles(shape, &mut out).into_par_iter().for_each(|(row, first, out)| {
        let count = out.len() / outputs;
        let x = &x[(row * tokens + first) * inputs..];
        multiply(out, Matrix::new(x, count, inputs, inputs), weight);
        if let Some(bias) = bias {
            add_bias(out, bias);
        }
        if let Some(residual) = residual {
            let residual = &residual[(row * tokens + first) * outputs..];
            out.iter_mut().zip(residual).for_each(|(out, x)| *out += x);
        }
    });
    out
}

/// Row of the batch, first token and result slice of each task.
fn tiles<'a>(shape: &Shape, out: &'a mut [f32]) -> Vec<(usize, usize, &'a mut [f32])> {
    let tile = shape.tile();
    let rows = out.chunks_mut(shape.tokens * shape.outputs).enumerate();
    rows.flat_map(|(row, out)| {
        out.chunks_mut(tile * shape.outputs).enumerate().map(move |(i, out)| (row, i * tile, out))
    })
    .collect()
}

fn add_bias(out: &mut [f32], bias: &[f32]) {
    for out in out.chunks_mut(bias.len()) {
        out.iter_mut().zip(bias).for_each(|(out, x)| *out += x);
    }
}
