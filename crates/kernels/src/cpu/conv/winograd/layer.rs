//! A convolution, how it is split into blocks, and where things lie in memory.

use super::super::operands::{Epilogue, Shape};
use super::transforms::{INPUTS, OUTPUTS};
use crate::cpu::products::{DEPTH, PanelWidth, depths};
use pulp::Arch;
use std::ops::Range;

/// Positions of a tile in the transformed domain.
pub(super) const POSITIONS: usize = INPUTS * INPUTS;
/// A line of cache between positions; without it a power of two of channels would put all of them in the same sets.
pub(super) const GAP: usize = 16;

/// A convolution and how it is split.
pub(super) struct Layer<'a> {
    pub shape: &'a Shape,
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub epilogue: &'a Epilogue<'a>,
    pub arch: Arch,
    /// Outputs of a block; the last one may have fewer.
    pub block: usize,
    /// The most channels of a block of depth. It does not change any result.
    pub depth: usize,
}

impl<'a> Layer<'a> {
    pub(super) fn new(
        shape: &'a Shape,
        x: &'a [f32],
        weight: &'a [f32],
        epilogue: &'a Epilogue<'a>,
    ) -> Layer<'a> {
        let arch = Arch::new();
        Layer { shape, x, weight, epilogue, arch, block: arch.dispatch(PanelWidth), depth: DEPTH }
    }

    /// Tiles of an image, down and across.
    pub(super) fn tiles_of_row(&self) -> (usize, usize) {
        (self.shape.height.div_ceil(OUTPUTS), self.shape.width.div_ceil(OUTPUTS))
    }

    pub(super) fn tiles(&self, batch: usize) -> usize {
        let (down, across) = self.tiles_of_row();
        batch * down * across
    }

    /// The row, and the first output's line and column of a tile.
    pub(super) fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (down, across) = self.tiles_of_row();
        (tile / (down * across), tile / across % down * OUTPUTS, tile % across * OUTPUTS)
    }

    /// Values from a position of a transformed tile to the next.
    pub(super) fn position_len(&self) -> usize {
        self.shape.inputs + GAP
    }

    /// Values of a transformed tile, `[positions, inputs]` with gaps.
    pub(super) fn tile_len(&self) -> usize {
        POSITIONS * self.position_len()
    }

    pub(super) fn blocks(&self) -> usize {
        self.shape.outputs.div_ceil(self.block)
    }

    /// The outputs of a block.
    pub(super) fn outputs(&self, block: usize) -> Range<usize> {
        block * self.block..self.shape.outputs.min((block + 1) * self.block)
    }

    /// The blocks of channels.
    pub(super) fn depths(&self) -> impl Iterator<Item = Range<usize>> {
        depths(self.shape.inputs, self.depth)
    }

    /// Values of the transformed weights of a block of outputs and a block of channels, `[positions, channels, outputs]`
    /// with gaps.
    pub(super) fn depth_len(&self) -> usize {
        let depth = self.depths().map(|channels| channels.len()).max().unwrap_or(0);
        POSITIONS * (depth * self.block + GAP)
    }

    /// The same for all blocks of channels.
    pub(super) fn block_len(&self) -> usize {
        self.depths().count() * self.depth_len()
    }
}
