//! The time embedding: sines and cosines of the timestep, then two linear layers.
//!
//! diffusers' `get_timestep_embedding` and `TimestepEmbedding`. The angles are computed in f32 on the host whatever
//! the model's dtype: in f16 the fast ones would be noise.

use super::config::UnetConfig;
use crate::ModelError;
use crate::ops::{self, Linear};
use crate::weights::Weights;
use candle_core::{Device, Result, Tensor};

pub(super) struct TimeEmbedding {
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeEmbedding {
    pub(super) fn load(
        config: &UnetConfig,
        weights: &Weights,
    ) -> std::result::Result<TimeEmbedding, ModelError> {
        let weights = weights.at("time_embedding");
        let width = config.blocks[0].width;
        Ok(TimeEmbedding {
            width,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            linear_1: weights.at("linear_1").linear(width, config.time_width, true)?,
            linear_2: weights.at("linear_2").linear(config.time_width, config.time_width, true)?,
        })
    }

    /// SiLU of the embedding, `[B, 1, time_width]`, on the device and in the dtype of `like`.
    ///
    /// The SiLU is the one that each residual block begins with; it is the same for all of them.
    pub(super) fn forward(&self, timesteps: &[f32], like: &Tensor) -> Result<Tensor> {
        let angles: Vec<f32> = timesteps.iter().flat_map(|&timestep| self.angles(timestep)).collect();
        let angles = Tensor::from_vec(angles, (timesteps.len(), 1, self.width), &Device::Cpu)?;
        let angles = angles.to_device(like.device())?.to_dtype(like.dtype())?;
        let hidden = ops::silu(&ops::linear(&angles, &self.linear_1)?)?;
        ops::silu(&ops::linear(&hidden, &self.linear_2)?)
    }

    fn angles(&self, timestep: f32) -> Vec<f32> {
        let half = self.width / 2;
        let scale = (half as f64 - self.freq_shift) as f32;
        let angle = |i: usize| timestep * (-(10000f64.ln() as f32) * i as f32 / scale).exp();
        let (sin, cos) = ((0..half).map(|i| angle(i).sin()), (0..half).map(|i| angle(i).cos()));
        if self.flip_sin_to_cos { cos.chain(sin).collect() } else { sin.chain(cos).collect() }
    }
}
