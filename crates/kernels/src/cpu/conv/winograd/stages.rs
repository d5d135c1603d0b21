//! The stages of the algorithm, each compiled for several instruction sets.
//!
//! Loops instead of closures: a function that is not inlined would be compiled without the instruction set.

use super::layer::{GAP, Layer, POSITIONS};
use super::transforms::{self, INPUTS, OUTPUTS};
use crate::cpu::memory::prefetch;
use crate::cpu::products::multiply_lines;
use crate::cpu::shared::SharedSlice;
use pulp::{Simd, WithSimd};
use std::array::from_fn;
use std::ops::Range;

/// How far ahead weights are brought from memory: their lines are far apart, and each takes longer to arrive than a
/// channel's transform.
const CHANNELS_AHEAD: usize = 6;

/// Transforms a tile of all channels.
pub(super) struct InputTile<'a> {
    pub layer: &'a Layer<'a>,
    pub tile: usize,
    pub v: &'a mut [f32],
}

impl WithSimd for InputTile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let InputTile { layer, tile, v } = self;
        let (inputs, height, width) = (layer.shape.inputs, layer.shape.height, layer.shape.width);
        let (row, y, x) = layer.place(tile);
        // Where the channels of each pixel begin; zeros are around the image.
        let pixel = |i: usize, j: usize| match (y + i, x + j) {
            (y, x) if (1..=height).contains(&y) && (1..=width).contains(&x) => {
                Some(((row * height + y - 1) * width + x - 1) * inputs)
            }
            _ => None,
        };
        let pixels: [[Option<usize>; INPUTS]; INPUTS] = from_fn(|i| from_fn(|j| pixel(i, j)));
        let [p0, p1, p2, p3, p4, p5] = &pixels;
        for channel in (0..inputs).step_by(S::F32_LANES) {
            let lines = [
                input_line(simd, layer.x, channel, p0),
                input_line(simd, layer.x, channel, p1),
                input_line(simd, layer.x, channel, p2),
                input_line(simd, layer.x, channel, p3),
                input_line(simd, layer.x, channel, p4),
                input_line(simd, layer.x, channel, p5),
            ];
            for j in 0..INPUTS {
                let column = transforms::input(simd, column(&lines, j));
                for (i, &value) in column.iter().enumerate() {
                    store::<S>(&mut v[(i * INPUTS + j) * layer.position_len() + channel..], value);
                }
            }
        }
    }
}

/// Transforms the weights of a block of outputs and a block of channels.
pub(super) struct Weights<'a> {
    pub layer: &'a Layer<'a>,
    pub outputs: Range<usize>,
    pub channels: Range<usize>,
    pub u: &'a mut [f32],
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Weights { layer, outputs, channels, u } = self;
        let (count, position_len) = (outputs.len(), channels.len() * outputs.len() + GAP);
        let tap_len = layer.shape.inputs * layer.shape.outputs;
        for (c, channel) in channels.enumerate() {
            let weight = &layer.weight[channel * layer.shape.outputs + outputs.start..];
            for output in (0..count).step_by(S::F32_LANES) {
                let weight = &weight[output..];
                for tap in 0..9 {
                    prefetch(
                        &weight[(tap * tap_len + CHANNELS_AHEAD * layer.shape.outputs).min(weight.len())..],
                    );
                }
                let lines = [
                    weight_line(simd, weight, tap_len),
                    weight_line(simd, &weight[3 * tap_len..], tap_len),
                    weight_line(simd, &weight[6 * tap_len..], tap_len),
                ];
                for j in 0..INPUTS {
                    let line = transforms::weight(simd, column(&lines, j));
                    for (i, &value) in line.iter().enumerate() {
                        store::<S>(&mut u[(i * INPUTS + j) * position_len + c * count + output..], value);
                    }
                }
            }
        }
    }
}

/// Adds the products of a block of channels to `m`, `[tiles, positions, outputs]`.
pub(super) struct Products<'a> {
    pub layer: &'a Layer<'a>,
    /// Transformed tiles.
    pub v: &'a [f32],
    pub channels: Range<usize>,
    /// Transformed weights of these channels.
    pub u: &'a [f32],
    pub outputs: usize,
    pub m: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Products { layer, v, channels, u, outputs, m } = self;
        let (tile_len, m_len) = (layer.tile_len(), POSITIONS * outputs);
        let tiles = v.len() / tile_len;
        let (first, panel) = (channels.start == 0, channels.len() * outputs);
        for position in 0..POSITIONS {
            let u = &u[position * (panel + GAP)..][..panel];
            let v = &v[position * layer.position_len() + channels.start..];
            let m = &mut m[position * outputs..];
            multiply_lines(simd, tiles, (v, tile_len), u, outputs, (m, m_len), first);
        }
    }
}

/// Transforms tiles of a block of outputs back, and adds the epilogue.
pub(super) struct OutputTiles<'a> {
    pub layer: &'a Layer<'a>,
    pub first: usize,
    pub outputs: Range<usize>,
    pub m: &'a [f32],
    pub out: SharedSlice<'a>,
}

impl WithSimd for OutputTiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let OutputTiles { layer, first, outputs, m, out } = self;
        let shape = layer.shape;
        for (tile, m) in m.chunks_exact(POSITIONS * outputs.len()).enumerate() {
            let (row, y, x) = layer.place(first + tile);
            let (lines, columns) = (OUTPUTS.min(shape.height - y), OUTPUTS.min(shape.width - x));
            for output in (0..outputs.len()).step_by(S::F32_LANES) {
                let (m, count) = (&m[output..], outputs.len());
                let turned = [
                    output_line(simd, m, count),
                    output_line(simd, &m[INPUTS * count..], count),
                    output_line(simd, &m[2 * INPUTS * count..], count),
                    output_line(simd, &m[3 * INPUTS * count..], count),
                    output_line(simd, &m[4 * INPUTS * count..], count),
                    output_line(simd, &m[5 * INPUTS * count..], count),
                ];
                let channel = outputs.start + output;
                let plus = layer.epilogue.of_channels::<S>(simd, row * shape.outputs, channel);
                for j in 0..columns {
                    let values = transforms::output(simd, column(&turned, j));
                    for (i, &value) in values.iter().enumerate().take(lines) {
                        let at =
                            ((row * shape.height + y + i) * shape.width + x + j) * shape.outputs + channel;
                        let value = simd.add_f32s(value, plus);
                        let value = match layer.epilogue.image {
                            Some(image) => simd.add_f32s(value, load::<S>(&image[at..])),
                            None => value,
                        };
                        // SAFETY: each task has its own tiles and outputs, and no other value is reached.
                        #[allow(unsafe_code)]
                        let out = unsafe { out.part(at, S::F32_LANES) };
                        store::<S>(out, value);
                    }
                }
            }
        }
    }
}

// The lines of a tile are listed instead of written to an array in a loop: such an array would be filled with zeros first, by a
// call of `memset` for each vector of channels.

/// The transform of a line of a tile, whose pixels begin at these places; zeros are around the image.
#[inline(always)]
fn input_line<S: Simd>(
    simd: S,
    x: &[f32],
    channel: usize,
    pixels: &[Option<usize>; INPUTS],
) -> [S::f32s; INPUTS] {
    let mut line = [simd.splat_f32s(0.0); INPUTS];
    for (value, pixel) in line.iter_mut().zip(pixels) {
        if let Some(at) = pixel {
            *value = load::<S>(&x[at + channel..]);
        }
    }
    transforms::input(simd, line)
}

/// The transform of a line of a kernel, whose taps are `tap_len` values apart.
#[inline(always)]
fn weight_line<S: Simd>(simd: S, weight: &[f32], tap_len: usize) -> [S::f32s; INPUTS] {
    let taps = [load::<S>(weight), load::<S>(&weight[tap_len..]), load::<S>(&weight[2 * tap_len..])];
    transforms::weight(simd, taps)
}

/// The transform of a line of products, whose positions are `count` values apart.
#[inline(always)]
fn output_line<S: Simd>(simd: S, m: &[f32], count: usize) -> [S::f32s; OUTPUTS] {
    let mut line = [simd.splat_f32s(0.0); INPUTS];
    for (j, value) in line.iter_mut().enumerate() {
        *value = load::<S>(&m[j * count..]);
    }
    transforms::output(simd, line)
}

/// A column of a matrix.
#[inline(always)]
fn column<V: Copy, const COLUMNS: usize, const LINES: usize>(
    lines: &[[V; COLUMNS]; LINES],
    j: usize,
) -> [V; LINES] {
    let mut column = [lines[0][j]; LINES];
    for (value, line) in column.iter_mut().zip(lines) {
        *value = line[j];
    }
    column
}

#[inline(always)]
pub(super) fn load<S: Simd>(values: &[f32]) -> S::f32s {
    S::as_simd_f32s(&values[..S::F32_LANES]).0[0]
}

#[inline(always)]
fn store<S: Simd>(values: &mut [f32], value: S::f32s) {
    S::as_mut_simd_f32s(&mut values[..S::F32_LANES]).0[0] = value;
}
