//! Rotary position embeddings (Su et al., arXiv 2104.09864): pairs of channels are rotated by angles that grow with the
//! token's position.
//!
//! Angles are f64 on the host and become f32 before their sines, as in the reference implementations; the rotation is in f32
//! in every dtype.

use candle_core::{DType, Device, Result, Tensor};

/// The rotations of a sequence of tokens.
pub(crate) struct Rotary {
    /// `[1, tokens, 1, depth / 2]`, f32.
    cos: Tensor,
    sin: Tensor,
    pairs: Pairs,
}

/// Which channels of a head are a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Neighbours.
    Neighbours,
    /// One of the first half and one of the second.
    Halves,
}

impl Rotary {
    /// `angles` has those of each token, one for each pair.
    pub fn new(angles: &[Vec<f64>], pairs: Pairs, device: &Device) -> Result<Rotary> {
        let depth = angles.first().map_or(0, Vec::len);
        let all = |of: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().flatten().map(|&angle| of(angle as f32)).collect();
            Tensor::from_vec(values, (1, angles.len(), 1, depth), device)
        };
        Ok(Rotary { cos: all(f32::cos)?, sin: all(f32::sin)?, pairs })
    }

    /// Rotates queries or keys, `[B, tokens, heads, depth]`.
    pub fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, heads, depth) = x.dims4()?;
        let wide = x.to_dtype(DType::F32)?;
        let (first, second) = match self.pairs {
            Pairs::Halves => (wide.narrow(3, 0, depth / 2)?, wide.narrow(3, depth / 2, depth / 2)?),
            Pairs::Neighbours => {
                let pairs = wide.reshape((batch, tokens, heads, depth / 2, 2))?;
                (pairs.narrow(4, 0, 1)?.squeeze(4)?, pairs.narrow(4, 1, 1)?.squeeze(4)?)
            }
        };
        let turned = [
            (first.broadcast_mul(&self.cos)? - second.broadcast_mul(&self.sin)?)?,
            (first.broadcast_mul(&self.sin)? + second.broadcast_mul(&self.cos)?)?,
        ];
        let turned = match self.pairs {
            Pairs::Halves => Tensor::cat(&turned, 3)?,
            Pairs::Neighbours => Tensor::stack(&turned, 4)?.reshape(x.shape())?,
        };
        turned.to_dtype(x.dtype())
    }
}

/// The angles of a position on an axis with `depth` channels: `position / theta^(2 i / depth)`.
pub(crate) fn angles(position: f64, depth: usize, theta: f64) -> impl Iterator<Item = f64> {
    (0..depth / 2).map(move |i| position / theta.powf(2.0 * i as f64 / depth as f64))
}
