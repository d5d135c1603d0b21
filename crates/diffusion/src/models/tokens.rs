//! What blocks of transformers do with their tokens, `[B, count, width]`, between linear layers.

use crate::models::rotary::Rotary;
use candle_core::{Result, Tensor};
use maquette_kernels::{LayerNorm, RmsNorm};

/// The normalised tokens, scaled and shifted.
pub(super) fn modulated(norm: &LayerNorm, x: &Tensor, shift: &Tensor, scale: &Tensor) -> Result<Tensor> {
    norm.forward(x)?.broadcast_mul(&(scale + 1.0)?)?.broadcast_add(shift)
}

/// Queries or keys, normalised by head.
pub(super) fn normalised(norm: &RmsNorm, h: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, count, width) = h.dims3()?;
    norm.forward(&h.reshape((batch, count, heads, width / heads))?)?.reshape(h.shape())
}

/// Queries or keys, rotated by position.
pub(super) fn rotated(rotary: &Rotary, h: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, count, width) = h.dims3()?;
    rotary.rotate(&h.reshape((batch, count, heads, width / heads))?)?.reshape(h.shape())
}
