//! What blocks of transformers do with their tokens, `[B, count, width]`, between linear layers.

use crate::models::rotary::Rotary;
use candle_core::{Result, Shape, Tensor};
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

/// Latents `[B, channels, height, width]` in patches of `patch` x `patch` pixels, `[B, patches, channels * patch * patch]`.
pub(super) fn packed(latents: &Tensor, patch: usize) -> Result<Tensor> {
    let (rows, channels, height, width) = latents.dims4()?;
    let (high, wide) = (height / patch, width / patch);
    let x = latents.reshape(&[rows, channels, high, patch, wide, patch][..])?;
    x.permute([0, 2, 4, 1, 3, 5])?.contiguous()?.reshape((rows, high * wide, ()))
}

/// The inverse of [`packed`], to latents of that shape.
pub(super) fn unpacked(x: &Tensor, latents: &Shape, patch: usize) -> Result<Tensor> {
    let (rows, channels, height, width) = latents.dims4()?;
    let x = x.reshape(&[rows, height / patch, width / patch, channels, patch, patch][..])?;
    x.permute([0, 3, 1, 4, 2, 5])?.contiguous()?.reshape(latents)
}

/// Patches whose channels come after their pixels, `[B, patches, patch * patch * channels]`, as latents of that shape.
pub(super) fn unpacked_from_pixels(x: &Tensor, latents: &Shape, patch: usize) -> Result<Tensor> {
    let (rows, channels, height, width) = latents.dims4()?;
    let x = x.reshape(&[rows, height / patch, width / patch, patch, patch, channels][..])?;
    x.permute([0, 5, 1, 3, 2, 4])?.contiguous()?.reshape(latents)
}
