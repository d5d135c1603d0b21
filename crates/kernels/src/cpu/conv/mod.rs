//! Convolutions of channels-last images.

mod operands;
mod unrolled;
mod winograd;

use super::memory::unwritten;
pub(super) use operands::{Epilogue, Shape};

/// `x` is `[batch, height, width, inputs]`, the weight `[kernel, kernel, inputs, outputs]`, the result `[batch, out_height,
/// out_width, outputs]`. The algorithm depends on the shape of one row only.
pub(super) fn conv2d(
    shape: &Shape,
    batch: usize,
    x: &[f32],
    weight: &[f32],
    epilogue: &Epilogue,
) -> Vec<f32> {
    // SAFETY: both algorithms write every channel of every pixel.
    #[allow(unsafe_code)]
    let mut out = unsafe { unwritten(batch * shape.out_height * shape.out_width * shape.outputs) };
    match winograd::applies(shape) {
        true => winograd::conv2d(shape, x, weight, epilogue, &mut out),
        false => unrolled::conv2d(shape, x, weight, epilogue, &mut out),
    }
    out
}
