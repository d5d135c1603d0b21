//! Sines and cosines of numbers, the input of a transformer's time embedding.

use candle_core::{Device, Result, Tensor};

/// Cosines, then sines, of each number at `channels / 2` frequencies from 1 down to 1/10000, `[B, 1, channels]`, f32.
///
/// The angles are computed in f32 on the host for every dtype. Source: `timestep_embedding` of diffusers'
/// `transformer_z_image.py`, and its `get_timestep_embedding` with `flip_sin_to_cos` and no shift.
pub(crate) fn sinusoids(numbers: &[f32], channels: usize, device: &Device) -> Result<Tensor> {
    let half = channels / 2;
    let mut values = Vec::with_capacity(numbers.len() * channels);
    for &number in numbers {
        let angle = |i: usize| number * (-(10000_f64.ln()) as f32 * i as f32 / half as f32).exp();
        values.extend((0..half).map(|i| angle(i).cos()));
        values.extend((0..half).map(|i| angle(i).sin()));
    }
    Tensor::from_vec(values, (numbers.len(), 1, channels), device)
}
