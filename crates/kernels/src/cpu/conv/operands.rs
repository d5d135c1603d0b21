//! The operands of a convolution: its shape, and what is added to its result.

use pulp::Simd;

/// The shape of one row's convolution.
pub struct Shape {
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

/// What is added to the result.
pub struct Epilogue<'a> {
    /// `[outputs]`
    pub bias: Option<&'a [f32]>,
    /// `[batch, outputs]`
    pub shift: Option<&'a [f32]>,
    /// `[batch, out_height, out_width, outputs]`
    pub image: Option<&'a [f32]>,
}

impl Epilogue<'_> {
    /// What is added to a vector of channels of every pixel of a row, which begins at `row` in `[batch, outputs]`.
    #[inline(always)]
    pub(super) fn of_channels<S: Simd>(&self, simd: S, row: usize, channel: usize) -> S::f32s {
        let vector = |values: &[f32]| S::as_simd_f32s(&values[..S::F32_LANES]).0[0];
        let zero = simd.splat_f32s(0.0);
        let bias = self.bias.map_or(zero, |bias| vector(&bias[channel..]));
        self.shift.map_or(bias, |shift| simd.add_f32s(bias, vector(&shift[row + channel..])))
    }

    /// Adds to pixels from `first` on, counted over all rows of the batch, `positions` of them in each row.
    pub(super) fn add(&self, out: &mut [f32], first: usize, positions: usize, outputs: usize) {
        for (i, out) in out.chunks_mut(outputs).enumerate() {
            let pixel = first + i;
            if let Some(bias) = self.bias {
                out.iter_mut().zip(bias).for_each(|(out, x)| *out += x);
            }
            if let Some(shift) = self.shift {
                let shift = &shift[pixel / positions * outputs..];
                out.iter_mut().zip(shift).for_each(|(out, x)| *out += x);
            }
            if let Some(image) = self.image {
                out.iter_mut().zip(&image[pixel * outputs..]).for_each(|(out, x)| *out += x);
            }
        }
    }
}
