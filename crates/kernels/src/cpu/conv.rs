//! Convolution as a matrix product: tiles of the image are unrolled into columns, one per result pixel.

use super::matrix::{Matrix, multiply, with_scratch};
use rayon::prelude::*;
use std::ops::Range;

/// The shape of one row's convolution.
pub(super) struct Shape {
    pub inputs: usize,
    pub outputs: usize,
    pub height: usize,
    pub width: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Zeros above and to the left.
    pub before: usize,
    pub out_height: usize,
    pub out_width: usize,
}

/// A part of the result: some channels of some pixels of one row of the batch.
struct Tile<'a> {
    row: usize,
    first_channel: usize,
    pixels: Range<usize>,
    lines: Vec<&'a mut [f32]>,
}

/// `x` is `[batch, inputs, height, width]`, `shift` `[batch, outputs]`, `image` of the result's shape.
pub(super) fn conv2d(
    shape: &Shape,
    batch: usize,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    shift: Option<&[f32]>,
    image: Option<&[f32]>,
) -> Vec<f32> {
    let (outputs, positions) = (shape.outputs, shape.out_height * shape.out_width);
    let depth = shape.inputs * shape.kernel * shape.kernel;
    let mut out = vec![0.0; batch * outputs * positions];
    tiles(shape, &mut out).into_par_iter().for_each(|tile| {
        let Tile { row, first_channel, pixels, mut lines } = tile;
        let x = &x[row * shape.inputs * shape.height * shape.width..]
            [..shape.inputs * shape.height * shape.width];
        let weight = Matrix::new(&weight[first_channel * depth..], lines.len(), depth, depth);
        let (count, result) = (pixels.len(), lines.len() * pixels.len());
        let direct = shape.kernel == 1 && shape.stride == 1 && shape.before == 0;
        with_scratch(result + if direct { 0 } else { depth * count }, |scratch| {
            let (result, columns) = scratch.split_at_mut(result);
            if direct {
                multiply(result, weight, Matrix::new(&x[pixels.start..], depth, count, positions));
            } else {
                unroll(shape, x, pixels.clone(), columns);
                multiply(result, weight, Matrix::new(columns, depth, count, count));
            }
            for (i, (line, result)) in lines.iter_mut().zip(result.chunks(count)).enumerate() {
                let channel = row * outputs + first_channel + i;
                let plus = bias[first_channel + i] + shift.map_or(0.0, |shift| shift[channel]);
                match image {
                    Some(image) => {
                        let image = &image[channel * positions + pixels.start..];
                        line.iter_mut().zip(result).zip(image).for_each(|((out, x), y)| *out = x + plus + y);
                    }
                    None => line.iter_mut().zip(result).for_each(|(out, x)| *out = x + plus),
                }
            }
        });
    });
    out
}

/// Splits the result into tiles, only by the shape of one row.
fn tiles<'a>(shape: &Shape, out: &'a mut [f32]) -> Vec<Tile<'a>> {
    // The unrolled columns of a tile should fit in a core's own cache; a row should have about eight tiles.
    const COLUMNS: usize = 256 * 1024;
    const TILES: usize = 8;
    let positions = shape.out_height * shape.out_width;
    let depth = shape.inputs * shape.kernel * shape.kernel;
    let pixels = (COLUMNS / depth / 16 * 16).clamp(64, 512).min(positions);
    let across = positions.div_ceil(pixels);
    let channels =
        shape.outputs.div_ceil((TILES / across).max(1)).next_multiple_of(16).max(64).min(shape.outputs);
    let mut tiles = Vec::new();
    for (row, out) in out.chunks_mut(shape.outputs * positions).enumerate() {
        for (part, out) in out.chunks_mut(channels * positions).enumerate() {
            let mut lines: Vec<_> = out.chunks_mut(positions).map(|line| line.chunks_mut(pixels)).collect();
            for i in 0..across {
                tiles.push(Tile {
                    row,
                    first_channel: part * channels,
                    pixels: i * pixels..positions.min((i + 1) * pixels),
                    lines: lines.iter_mut().filter_map(Iterator::next).collect(),
                });
            }
        }
    }
    tiles
}

/// Fills `columns`, `[inputs * kernel * kernel, pixels]`, with the input values of each result pixel.
fn unroll(shape: &Shape, x: &[f32], pixels: Range<usize>, columns: &mut [f32]) {
    let Shape { height, width, kernel, stride, out_width, out_height, .. } = *shape;
    let same_size = stride == 1 && (out_height, out_width) == (height, width);
    for (i, line) in columns.chunks_mut(pixels.len()).enumerate() {
        let (channel, ky, kx) = (i / (kernel * kernel), i / kernel % kernel, i % kernel);
        let plane = &x[channel * height * width..][..height * width];
        if same_size {
            unroll_same_size(shape, plane, pixels.start, ky, kx, line);
        } else {
            unroll_general(shape, plane, pixels.start, ky, kx, line);
        }
    }
}

/// One line of columns where the result is as large as the image: the shifted image, with zeros at its edges.
fn unroll_same_size(shape: &Shape, plane: &[f32], first: usize, ky: usize, kx: usize, line: &mut [f32]) {
    let &Shape { width, before, .. } = shape;
    let (back, ahead) = (before * width + before, first + ky * width + kx);
    let lead = back.saturating_sub(ahead).min(line.len());
    let from = ahead.saturating_sub(back).min(plane.len());
    let count = (line.len() - lead).min(plane.len() - from);
    line[..lead].fill(0.0);
    line[lead..lead + count].copy_from_slice(&plane[from..from + count]);
    line[lead + count..].fill(0.0);
    // Values from the end of the line above or the start of the line below are outside the image.
    let beside =
        if kx < before { 0..(before - kx).min(width) } else { width.saturating_sub(kx - before)..width };
    let len = line.len();
    let mut start = 0;
    let mut column = first % width;
    while !beside.is_empty() && start < len {
        let (from, to) = (beside.start.max(column), beside.end.max(column));
        let (from, to) = (start + from - column, start + to - column);
        line[from.min(len)..to.min(len)].fill(0.0);
        start += width - column;
        column = 0;
    }
}

/// One line of columns of any convolution, one run of pixels at a time.
fn unroll_general(shape: &Shape, plane: &[f32], first: usize, ky: usize, kx: usize, line: &mut [f32]) {
    let &Shape { height, width, stride, before, out_width, .. } = shape;
    // The result's columns from..to read inside the image, the others read the zeros around it.
    let from = before.saturating_sub(kx).div_ceil(stride).min(out_width);
    let to = (width + before).saturating_sub(kx).div_ceil(stride).clamp(from, out_width);
    let mut rest = line;
    let mut pixel = first;
    while !rest.is_empty() {
        let (out_y, start) = (pixel / out_width, pixel % out_width);
        let (run, more) = rest.split_at_mut((out_width - start).min(rest.len()));
        rest = more;
        pixel += run.len();
        let end = start + run.len();
        let Some(y) = (out_y * stride + ky).checked_sub(before).filter(|&y| y < height) else {
            run.fill(0.0);
            continue;
        };
        let (from, to) = (from.clamp(start, end), to.clamp(start, end));
        run[..from - start].fill(0.0);
        run[to - start..].fill(0.0);
        if from < to {
            let source = &plane[y * width + from * stride + kx - before..];
            let run = &mut run[from - start..to - start];
            run.iter_mut().zip(source.iter().step_by(stride)).for_each(|(out, x)| *out = *x);
        }
    }
}
