//! Convolutions 3x3 of stride 1 by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//!
//! Images are in tiles of 4x4 outputs, computed from 6x6 inputs. Three stages: tiles to 36 positions, matrix products at
//! each position, positions to outputs. A chunk of tiles goes through the first stage on all threads, then blocks of
//! outputs through the other two. Weights stay 3x3 in memory and are transformed in each call.
//!
//! Sums run over channels in an order that depends on the number of channels only, so a row of a batch has the same bits
//! whatever the other rows, the threads and the split into chunks.

mod layer;
mod stages;
mod transforms;

use super::operands::{Epilogue, Shape};
use crate::cpu::matrix::{with_buffer, with_scratch};
use crate::cpu::products::LINES;
use crate::cpu::shared::SharedSlice;
use layer::{Layer, POSITIONS};
use rayon::prelude::*;
use stages::{InputTile, OutputTiles, Products, Weights};
use transforms::OUTPUTS;

/// Transformed values of a chunk of tiles, 12 MiB, so that they stay in a shared cache.
const CHUNK: usize = 3 << 20;
/// The same if there are many chunks, which then have to share it with their results: 4 MiB.
const CHUNK_OF_MANY: usize = 1 << 20;
/// The most tiles of a task.
const UNIT: usize = 64;
/// The fewest tasks of a chunk, if it has enough tiles.
const TASKS: usize = 8;
/// Channels of a block of depth whose weights a task transforms itself: 576 KiB that stay in a core's second-level cache.
const DEPTH_OF_TASK: usize = 64;

/// Whether the algorithm applies, by the shape of one row alone: there are two tiles each way, and the channels make
/// whole vectors.
pub(super) fn applies(shape: &Shape) -> bool {
    let &Shape { inputs, outputs, kernel, stride, before, height, width, out_height, out_width } = shape;
    (kernel, stride, before) == (3, 1, 1)
        && (out_height, out_width) == (height, width)
        && height > OUTPUTS
        && width > OUTPUTS
        && inputs.is_multiple_of(16)
        && outputs.is_multiple_of(16)
}

/// `x` is `[batch, height, width, inputs]`, the weight `[3, 3, inputs, outputs]`, `out` `[batch, height, width, outputs]`.
pub(super) fn conv2d(shape: &Shape, x: &[f32], weight: &[f32], epilogue: &Epilogue, out: &mut [f32]) {
    let layer = Layer::new(shape, x, weight, epilogue);
    let tiles = layer.tiles(out.len() / (shape.height * shape.width * shape.outputs));
    let whole = match tiles * layer.tile_len() > CHUNK {
        true => CHUNK_OF_MANY,
        false => CHUNK,
    };
    let chunk = (whole / layer.tile_len()).max(UNIT).min(tiles);
    let units = chunk.div_ceil(UNIT).max(TASKS.div_ceil(layer.blocks()).min(chunk.div_ceil(LINES)));
    // A single unit needs each weight once; several units share them.
    let once = units == 1 && chunk == tiles;
    let layer = if once { Layer { depth: DEPTH_OF_TASK, ..layer } } else { layer };
    let out = SharedSlice::new(out);
    let run = |weights: Option<&[f32]>| {
        with_buffer(chunk * layer.tile_len(), |v| {
            for first in (0..tiles).step_by(chunk) {
                let count = chunk.min(tiles - first);
                let v = &mut v[..count * layer.tile_len()];
                v.par_chunks_mut(layer.tile_len()).enumerate().for_each(|(tile, v)| {
                    layer.arch.dispatch(InputTile { layer: &layer, tile: first + tile, v });
                });
                outputs_of(&layer, v, first, units, weights, out);
            }
        });
    };
    match once {
        true => run(None),
        false => with_buffer(layer.blocks() * layer.block_len(), |weights| {
            let parts = weights.par_chunks_mut(layer.block_len()).enumerate();
            parts.for_each(|(block, weights)| transform_weights(&layer, block, weights));
            run(Some(weights));
        }),
    }
}

/// The transformed weights of a block of outputs.
fn transform_weights(layer: &Layer, block: usize, weights: &mut [f32]) {
    for (channels, u) in layer.depths().zip(weights.chunks_mut(layer.depth_len())) {
        layer.arch.dispatch(Weights { layer, outputs: layer.outputs(block), channels, u });
    }
}

/// The second and third stage of a chunk of tiles from `first` on, transformed in `v`.
fn outputs_of(
    layer: &Layer,
    v: &[f32],
    first: usize,
    units: usize,
    weights: Option<&[f32]>,
    out: SharedSlice,
) {
    let count = v.len() / layer.tile_len();
    let task = |task: usize| {
        // Neighbouring tasks have the same weights.
        let (block, unit) = (task / units, task % units);
        let tiles = unit * count / units..(unit + 1) * count / units;
        // A last chunk can have fewer tiles than units.
        if tiles.is_empty() {
            return;
        }
        let outputs = layer.outputs(block);
        let own = if weights.is_none() { layer.depth_len() } else { 0 };
        with_scratch(tiles.len() * POSITIONS * outputs.len() + own, |scratch| {
            let (m, own) = scratch.split_at_mut(tiles.len() * POSITIONS * outputs.len());
            let v = &v[tiles.start * layer.tile_len()..tiles.end * layer.tile_len()];
            for (depth, channels) in layer.depths().enumerate() {
                let u = match weights {
                    Some(all) => {
                        &all[block * layer.block_len() + depth * layer.depth_len()..][..layer.depth_len()]
                    }
                    None => {
                        let (outputs, channels, u) = (outputs.clone(), channels.clone(), &mut *own);
                        layer.arch.dispatch(Weights { layer, outputs, channels, u });
                        &*own
                    }
                };
                let outputs = outputs.len();
                layer.arch.dispatch(Products { layer, v, channels, u, outputs, m });
            }
            let first = first + tiles.start;
            layer.arch.dispatch(OutputTiles { layer, first, outputs, m, out });
        });
    };
    (0..layer.blocks() * units).into_par_iter().for_each(task);
}
