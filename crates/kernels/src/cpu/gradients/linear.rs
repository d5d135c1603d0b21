//! Gradients of linear layers.

use crate::cpu::linear::{Layer, Weight};
use crate::cpu::matrix::{Matrix, multiply};
use crate::cpu::memory::unwritten;
use crate::cpu::transpose::transposed;
use rayon::prelude::*;

/// The rows of a weight of a task.
const ROWS: usize = 32;
/// The tokens that are summed in f32 before the sums continue in f64.
const SUMMED: usize = 64;

/// The gradient of `x`, `[tokens, inputs]`, for that of the result, `[tokens, outputs]`, and a weight `[inputs, outputs]`.
pub(in crate::cpu) fn input_gradient(
    gradient: &[f32],
    weight: &[f32],
    inputs: usize,
    outputs: usize,
) -> Vec<f32> {
    let weight = transposed(weight, outputs, inputs);
    let weight = Weight::F32(&weight);
    Layer { inputs: outputs, outputs: inputs, x: gradient, weight, bias: None, residual: None }.run()
}

/// The gradient of a weight, `[inputs, outputs]`, for `x` `[tokens, inputs]` and the result's `[tokens, outputs]`.
pub(in crate::cpu) fn weight_gradient(
    x: &[f32],
    gradient: &[f32],
    inputs: usize,
    outputs: usize,
) -> Vec<f32> {
    let tokens = x.len() / inputs;
    // SAFETY: every block of rows is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(inputs * outputs) };
    let gradient = Matrix::new(gradient, tokens, outputs, outputs);
    out.par_chunks_mut(ROWS * outputs).enumerate().for_each(|(block, out)| {
        let (values, rows) = (&x[block * ROWS..], out.len() / outputs);
        let x = Matrix { values, rows, columns: tokens, row_stride: 1, column_stride: inputs };
        multiply(out, x, gradient);
    });
    out
}

/// The sums of the columns of `[rows, columns]`.
pub(in crate::cpu) fn column_sums(x: &[f32], columns: usize) -> Vec<f32> {
    let parts: Vec<Vec<f32>> = x.par_chunks(SUMMED * columns).map(|x| sums(x, columns)).collect();
    let mut totals = vec![0f64; columns];
    for part in parts {
        totals.iter_mut().zip(part).for_each(|(total, sum)| *total += f64::from(sum));
    }
    totals.into_iter().map(|total| total as f32).collect()
}

fn sums(x: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0f32; columns];
    for line in x.chunks_exact(columns) {
        sums.iter_mut().zip(line).for_each(|(sum, x)| *sum += x);
    }
    sums
}
