//! Convolution as a matrix product: the image is unrolled into a line per result pixel.

use super::operands::{Epilogue, Shape};
use crate::cpu::matrix::{Matrix, multiply, with_scratch};
use rayon::prelude::*;
use std::ops::Range;

/// Operands as in [`super::conv2d`].
pub(super) fn conv2d(shape: &Shape, x: &[f32], weight: &[f32], epilogue: &Epilogue, out: &mut [f32]) {
    let &Shape { inputs, outputs, kernel, .. } = shape;
    let (positions, depth) = (shape.out_height * shape.out_width, inputs * kernel * kernel);
    let weight = Matrix::new(weight, depth, outputs, outputs);
    let direct = kernel == 1 && shape.stride == 1 && shape.before == 0;
    let tile = tile(shape);
    let rows = out.par_chunks_mut(positions * outputs).zip(x.par_chunks(shape.height * shape.width * inputs));
    rows.enumerate().for_each(|(row, (out, x))| {
        out.par_chunks_mut(tile * outputs).enumerate().for_each(|(i, out)| {
            let (first, count) = (i * tile, out.len() / outputs);
            if direct {
                multiply(out, Matrix::new(&x[first * inputs..], count, inputs, inputs), weight);
            } else {
                with_scratch(count * depth, |lines| {
                    unroll(shape, x, first..first + count, lines);
                    multiply(out, Matrix::new(lines, count, depth, depth), weight);
                });
            }
            epilogue.add(out, row * positions + first, positions, outputs);
        });
    });
}

/// Pixels of a task, by the shape of one row only: their lines should fit in a core's own cache, and a row should have
/// about eight tasks.
fn tile(shape: &Shape) -> usize {
    const LINES: usize = 256 * 1024;
    let positions = shape.out_height * shape.out_width;
    let depth = shape.inputs * shape.kernel * shape.kernel;
    (LINES / depth / 16 * 16).clamp(64, 512).min(positions.div_ceil(8).next_multiple_of(16))
}

/// Fills `lines`, `[pixels, kernel, kernel, inputs]`, with the inputs of each result pixel.
fn unroll(shape: &Shape, x: &[f32], pixels: Range<usize>, lines: &mut [f32]) {
    let &Shape { inputs, height, width, kernel, stride, before, out_width, .. } = shape;
    for (pixel, line) in pixels.zip(lines.chunks_mut(kernel * kernel * inputs)) {
        let (y, left) = (pixel / out_width * stride, pixel % out_width * stride);
        // The kernel's columns from..to are inside the image, the others read the zeros around it.
        let from = before.saturating_sub(left).min(kernel);
        let to = (width + before).saturating_sub(left).clamp(from, kernel);
        for (ky, line) in line.chunks_mut(kernel * inputs).enumerate() {
            let Some(y) = (y + ky).checked_sub(before).filter(|&y| y < height && from < to) else {
                line.fill(0.0);
                continue;
            };
            let source = &x[(y * width + left + from - before) * inputs..][..(to - from) * inputs];
            line[..from * inputs].fill(0.0);
            line[from * inputs..to * inputs].copy_from_slice(source);
            line[to * inputs..].fill(0.0);
        }
    }
}
