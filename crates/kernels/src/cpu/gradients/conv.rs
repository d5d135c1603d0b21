//! Gradients of convolutions.

use crate::cpu::conv::{Epilogue, Shape, conv2d};
use crate::cpu::matrix::{Matrix, multiply};
use crate::cpu::memory::unwritten;
use crate::cpu::transpose::transpose;
use rayon::prelude::*;

/// The gradient of the image, for that of the result and a weight `[kernel, kernel, inputs, outputs]`: the convolution of
/// the result's gradient, spread out by the stride, with the kernel rotated by half a turn.
pub(in crate::cpu) fn input_gradient(
    shape: &Shape,
    batch: usize,
    gradient: &[f32],
    weight: &[f32],
) -> Vec<f32> {
    let &Shape { inputs, outputs, height, width, kernel, stride, before, .. } = shape;
    let weight = rotated(weight, kernel, inputs, outputs);
    let spread = (stride > 1).then(|| spread(shape, batch, gradient));
    let shape = Shape {
        inputs: outputs,
        outputs: inputs,
        height: if stride > 1 { height } else { shape.out_height },
        width: if stride > 1 { width } else { shape.out_width },
        kernel,
        stride: 1,
        before: kernel - 1 - before,
        out_height: height,
        out_width: width,
    };
    let gradient = spread.as_deref().unwrap_or(gradient);
    conv2d(&shape, batch, gradient, &weight, &Epilogue { bias: None, shift: None, image: None })
}

/// `[kernel, kernel, outputs, inputs]` of `[kernel, kernel, inputs, outputs]`, from the last position to the first.
fn rotated(weight: &[f32], kernel: usize, inputs: usize, outputs: usize) -> Vec<f32> {
    // SAFETY: every value is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(weight.len()) };
    let (positions, one) = (kernel * kernel, inputs * outputs);
    out.par_chunks_mut(one).enumerate().for_each(|(position, out)| {
        transpose(&weight[(positions - 1 - position) * one..][..one], outputs, inputs, out);
    });
    out
}

/// The result's gradient with `stride - 1` zeros after each pixel, of the image's size.
fn spread(shape: &Shape, batch: usize, gradient: &[f32]) -> Vec<f32> {
    let &Shape { outputs, height, width, stride, out_height, out_width, .. } = shape;
    let mut out = vec![0.0; batch * height * width * outputs];
    for (line, from) in gradient.chunks_exact(out_width * outputs).enumerate() {
        let (row, y) = (line / out_height, line % out_height * stride);
        for (x, from) in from.chunks_exact(outputs).enumerate() {
            let at = ((row * height + y) * width + x * stride) * outputs;
            out[at..at + outputs].copy_from_slice(from);
        }
    }
    out
}

/// The gradient of the weight, `[kernel, kernel, inputs, outputs]`, for an image and the result's gradient.
pub(in crate::cpu) fn weight_gradient(shape: &Shape, batch: usize, x: &[f32], gradient: &[f32]) -> Vec<f32> {
    let &Shape { inputs, outputs, kernel, out_height, out_width, .. } = shape;
    let pixels = batch * out_height * out_width;
    // SAFETY: every position of the kernel is written.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(kernel * kernel * inputs * outputs) };
    let gradient = Matrix::new(gradient, pixels, outputs, outputs);
    out.par_chunks_mut(inputs * outputs).enumerate().for_each(|(position, out)| {
        let seen = seen_by(shape, batch, x, position / kernel, position % kernel);
        let seen =
            Matrix { values: &seen, rows: inputs, columns: pixels, row_stride: 1, column_stride: inputs };
        multiply(out, seen, gradient);
    });
    out
}

/// The pixels that one position of the kernel sees, `[batch, out_height, out_width, inputs]`, zeros outside the image.
fn seen_by(shape: &Shape, batch: usize, image: &[f32], down: usize, across: usize) -> Vec<f32> {
    let &Shape { inputs, height, width, stride, before, out_height, out_width, .. } = shape;
    let mut out = vec![0.0; batch * out_height * out_width * inputs];
    for (pixel, out) in out.chunks_exact_mut(inputs).enumerate() {
        let (row, y, x) = (pixel / out_width / out_height, pixel / out_width % out_height, pixel % out_width);
        let (y, x) = (y * stride + down, x * stride + across);
        let inside = |at: usize, size: usize| at.checked_sub(before).filter(|&at| at < size);
        if let (Some(y), Some(x)) = (inside(y, height), inside(x, width)) {
            out.copy_from_slice(&image[((row * height + y) * width + x) * inputs..][..inputs]);
        }
    }
    out
}
