//! Convolutions 3x3 of stride 1 by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//!
//! Images are in tiles of 4x4 outputs, computed from 6x6 inputs. Three stages: tiles to 36 positions, matrix products at
//! each position, positions to outputs. A chunk of tiles goes through the first stage on all threads, then blocks of
//! outputs through the other two. Weights stay 3x3 in memory and are transformed in each call.
//!
//! Sums run over channels in an order that depends on the number of channels only, so a row of a batch has the same bits
//! whatever the other rows, the threads and the split into chunks.

mod stages;
mod transforms;

use super::super::matrix::{with_buffer, with_scratch};
use super::super::products::{DEPTH, LINES, PanelWidth, depths};
use super::super::shared::SharedSlice;
use super::{Epilogue, Shape};
use pulp::Arch;
use rayon::prelude::*;
use stages::{InputTile, OutputTiles, Products, Weights};
use std::ops::Range;
use transforms::{INPUTS, OUTPUTS};

/// Positions of a tile in the transformed domain.
const POSITIONS: usize = INPUTS * INPUTS;
/// Transformed values of a chunk of tiles, 12 MiB, so that they stay in a shared cache.
const CHUNK: usize = 3 << 20;
/// The same if there are many chunks, which then have to share it with their results: 4 MiB.
const CHUNK_OF_MANY: usize = 1 << 20;
/// The most tiles of a task.
const UNIT: usize = 64;
/// The fewest tasks of a chunk, if it has enough tiles.
const TASKS: usize = 8;
/// A line of cache between positions; without it a power of two of channels would put all of them in the same sets.
const GAP: usize = 16;

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
    let out = SharedSlice::new(out);
    let run = |weights: Option<&[f32]>| {
        with_buffer(chunk * layer.tile_len(), |v| {
            for first in (0..tiles).step_by(chunk) {
                let count = chunk.min(tiles - first);
                let v = &mut v[..count * layer.tile_len()];
                v.par_chunks_mut(layer.tile_len()).enumerate().for_each(|(tile, v)| {
                    layer.arch.dispatch(InputTile { layer: &layer, tile: first + tile, v });
                });
                layer.outputs_of(v, first, units, weights, out);
            }
        });
    };
    // A single unit needs each weight once; several units share them.
    match units == 1 && chunk == tiles {
        true => run(None),
        false => with_buffer(layer.blocks() * layer.block_len(), |weights| {
            let parts = weights.par_chunks_mut(layer.block_len()).enumerate();
            parts.for_each(|(block, weights)| layer.transform_weights(block, weights));
            run(Some(weights));
        }),
    }
}

/// A convolution and how it is split.
struct Layer<'a> {
    shape: &'a Shape,
    x: &'a [f32],
    weight: &'a [f32],
    epilogue: &'a Epilogue<'a>,
    arch: Arch,
    /// Outputs of a block; the last one may have fewer.
    block: usize,
    /// Channels of a block of depth; the last one may have fewer.
    depth: usize,
}

impl<'a> Layer<'a> {
    fn new(shape: &'a Shape, x: &'a [f32], weight: &'a [f32], epilogue: &'a Epilogue<'a>) -> Layer<'a> {
        let arch = Arch::new();
        let depth = depths(shape.inputs, DEPTH).map(|channels| channels.len()).max().unwrap_or(0);
        Layer { shape, x, weight, epilogue, arch, block: arch.dispatch(PanelWidth), depth }
    }

    /// Tiles of an image, down and across.
    fn tiles_of_row(&self) -> (usize, usize) {
        (self.shape.height.div_ceil(OUTPUTS), self.shape.width.div_ceil(OUTPUTS))
    }

    fn tiles(&self, batch: usize) -> usize {
        let (down, across) = self.tiles_of_row();
        batch * down * across
    }

    /// The row, and the first output's line and column of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (down, across) = self.tiles_of_row();
        (tile / (down * across), tile / across % down * OUTPUTS, tile % across * OUTPUTS)
    }

    /// Values from a position of a transformed tile to the next.
    fn position_len(&self) -> usize {
        self.shape.inputs + GAP
    }

    /// Values of a transformed tile, `[positions, inputs]` with gaps.
    fn tile_len(&self) -> usize {
        POSITIONS * self.position_len()
    }

    fn blocks(&self) -> usize {
        self.shape.outputs.div_ceil(self.block)
    }

    /// The outputs of a block.
    fn outputs(&self, block: usize) -> Range<usize> {
        block * self.block..self.shape.outputs.min((block + 1) * self.block)
    }

    /// The blocks of channels.
    fn depths(&self) -> impl Iterator<Item = Range<usize>> {
        depths(self.shape.inputs, DEPTH)
    }

    /// Values of the transformed weights of a block of outputs and a block of channels, `[positions, channels, outputs]`
    /// with gaps.
    fn depth_len(&self) -> usize {
        POSITIONS * (self.depth * self.block + GAP)
    }

    /// The same for all blocks of channels.
    fn block_len(&self) -> usize {
        self.depths().count() * self.depth_len()
    }

    fn transform_weights(&self, block: usize, weights: &mut [f32]) {
        for (channels, u) in self.depths().zip(weights.chunks_mut(self.depth_len())) {
            self.arch.dispatch(Weights { layer: self, outputs: self.outputs(block), channels, u });
        }
    }

    /// The second and third stage of a chunk of tiles from `first` on, transformed in `v`.
    fn outputs_of(&self, v: &[f32], first: usize, units: usize, weights: Option<&[f32]>, out: SharedSlice) {
        let count = v.len() / self.tile_len();
        let task = |task: usize| {
            // Neighbouring tasks have the same weights.
            let (block, unit) = (task / units, task % units);
            let tiles = unit * count / units..(unit + 1) * count / units;
            let outputs = self.outputs(block);
            let own = if weights.is_none() { self.depth_len() } else { 0 };
            with_scratch(tiles.len() * POSITIONS * outputs.len() + own, |scratch| {
                let (m, own) = scratch.split_at_mut(tiles.len() * POSITIONS * outputs.len());
                let v = &v[tiles.start * self.tile_len()..tiles.end * self.tile_len()];
                for (depth, channels) in self.depths().enumerate() {
                    let u = match weights {
                        Some(all) => {
                            &all[block * self.block_len() + depth * self.depth_len()..][..self.depth_len()]
                        }
                        None => {
                            let (outputs, channels, u) = (outputs.clone(), channels.clone(), &mut *own);
                            self.arch.dispatch(Weights { layer: self, outputs, channels, u });
                            &*own
                        }
                    };
                    let outputs = outputs.len();
                    self.arch.dispatch(Products { layer: self, v, channels, u, outputs, m });
                }
                let first = first + tiles.start;
                self.arch.dispatch(OutputTiles { layer: self, first, outputs, m, out });
            });
        };
        (0..self.blocks() * units).into_par_iter().for_each(task);
    }
}
