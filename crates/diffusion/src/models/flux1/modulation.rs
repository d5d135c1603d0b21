//! Where the shifts, scales and gates of FLUX.1's and Chroma's blocks come from, and what they depend on.

use super::config::{Conditioned, Config};
use crate::error::ModelError;
use crate::models::sinusoids::sinusoids;
use crate::weights::tensors::Weights;
use candle_core::{DType, Device, Result, Tensor};
use maquette_kernels::{Kernels, Linear, RmsNorm};

type Loaded<T> = std::result::Result<T, ModelError>;

/// Channels of the sines and cosines of FLUX.1's time and guidance scale.
const FREQUENCIES: usize = 256;
/// Chroma's numbers of its modulations are this far apart (`ChromaCombinedTimestepTextProjEmbeddings`).
const APART: f32 = 1000.0;

/// Some of the modulations of a condition.
pub(super) enum Modulation {
    /// A layer of the block's own.
    Layer { layer: Linear, count: usize },
    /// They are rows of the condition.
    Rows { start: usize, count: usize },
}

impl Modulation {
    /// `count` modulations: by the layer `name` in FLUX.1, the rows from `start` on in Chroma.
    pub fn load(
        config: &Config,
        weights: &Weights,
        name: &str,
        start: usize,
        count: usize,
    ) -> Loaded<Modulation> {
        Ok(match config.conditioned {
            Conditioned::ByEmbeddings { .. } => {
                let width = config.width();
                Modulation::Layer { layer: weights.at(name).linear(width, count * width, true)?, count }
            }
            Conditioned::ByApproximator { .. } => Modulation::Rows { start, count },
        })
    }

    /// The modulations, `[B, 1, width]` each.
    pub fn of(&self, condition: &Tensor) -> Result<Vec<Tensor>> {
        match *self {
            Modulation::Layer { ref layer, count } => layer.forward(condition)?.chunk(count, 2),
            Modulation::Rows { start, count } => {
                (start..start + count).map(|row| condition.narrow(1, row, 1)).collect()
            }
        }
    }
}

/// What computes the condition of a row.
pub(super) enum Conditioning {
    /// FLUX.1's: the sum of embeddings.
    Embeddings { time: [Linear; 2], guidance: Option<[Linear; 2]>, pooled: [Linear; 2] },
    /// Chroma's: a network that makes every modulation of the transformer.
    Approximator { channels: usize, rows: usize, first: Linear, layers: Vec<Residual>, last: Linear },
}

/// A layer of the approximator.
pub(super) struct Residual {
    norm: RmsNorm,
    layers: [Linear; 2],
}

impl Conditioning {
    pub fn load(config: &Config, weights: &Weights) -> Loaded<Conditioning> {
        let width = config.width();
        let linear = |name: &str, inputs, outputs| weights.at(name).linear(inputs, outputs, true);
        match config.conditioned {
            Conditioned::ByEmbeddings { pooled_width, embeds_guidance } => {
                let embed = |name: &str, inputs| {
                    let at = |layer: &str| format!("time_text_embed.{name}.{layer}");
                    let first = linear(&at("linear_1"), inputs, width)?;
                    Ok::<_, ModelError>([first, linear(&at("linear_2"), width, width)?])
                };
                let guidance = || embed("guidance_embedder", FREQUENCIES);
                Ok(Conditioning::Embeddings {
                    time: embed("timestep_embedder", FREQUENCIES)?,
                    guidance: if embeds_guidance { Some(guidance()?) } else { None },
                    pooled: embed("text_embedder", pooled_width)?,
                })
            }
            Conditioned::ByApproximator { channels, width: inner, layers } => {
                let at = |name: String| format!("distilled_guidance_layer.{name}");
                let layer = |i: usize| {
                    let linear = |name| linear(&at(format!("layers.{i}.{name}")), inner, inner);
                    // `torch.nn.RMSNorm` without an `eps`.
                    let norm =
                        weights.at(at(format!("norms.{i}"))).rms_norm(inner, f64::from(f32::EPSILON))?;
                    Ok(Residual { norm, layers: [linear("linear_1")?, linear("linear_2")?] })
                };
                Ok(Conditioning::Approximator {
                    channels,
                    rows: config.modulations(),
                    first: linear(&at("in_proj".to_owned()), channels, inner)?,
                    layers: (0..layers).map(layer).collect::<Loaded<_>>()?,
                    last: linear(&at("out_proj".to_owned()), inner, width)?,
                })
            }
        }
    }

    /// `[B, 1, width]`, or `[B, modulations, width]`. `pooled` is `[B, 1, pooled_width]` and has no effect on Chroma.
    pub fn forward(
        &self,
        timesteps: &[f32],
        guidance_scales: &[f64],
        pooled: Option<&Tensor>,
        (kernels, dtype, device): (&dyn Kernels, DType, &Device),
    ) -> Result<Tensor> {
        let twice =
            |[first, second]: &[Linear; 2], x: &Tensor| second.forward(&kernels.silu(&first.forward(x)?)?);
        let waves = |numbers: &[f32], channels| sinusoids(numbers, channels, device);
        match self {
            Conditioning::Embeddings { time, guidance, pooled: layers } => {
                let embedded =
                    |layers, numbers: &[f32]| twice(layers, &waves(numbers, FREQUENCIES)?.to_dtype(dtype)?);
                let mut sum = embedded(time, timesteps)?;
                if let Some(layers) = guidance {
                    let scales: Vec<f32> =
                        guidance_scales.iter().map(|&scale| scale as f32 * 1000.0).collect();
                    sum = (sum + embedded(layers, &scales)?)?;
                }
                if let Some(pooled) = pooled {
                    sum = (sum + twice(layers, &pooled.to_dtype(dtype)?)?)?;
                }
                kernels.silu(&sum)
            }
            Conditioning::Approximator { channels, rows, first, layers, last } => {
                let (batch, quarter) = (timesteps.len(), channels / 4);
                let shape = (batch, *rows, quarter);
                let time = waves(timesteps, quarter)?.broadcast_as(shape)?;
                // The place of a guidance scale, which is always 0.
                let scale = waves(&[0.0], quarter)?.broadcast_as(shape)?;
                let numbers: Vec<f32> = (0..*rows).map(|row| row as f32 * APART).collect();
                let number = waves(&numbers, 2 * quarter)?.transpose(0, 1)?;
                let number = number.broadcast_as((batch, *rows, 2 * quarter))?;
                let mut x = first.forward(&Tensor::cat(&[time, scale, number], 2)?.to_dtype(dtype)?)?;
                for Residual { norm, layers } in layers {
                    x = (&x + twice(layers, &norm.forward(&x)?)?)?;
                }
                last.forward(&x)
            }
        }
    }
}
