//! The clean latents and the noise in the UNet's input, from its prediction.
//!
//! All three types of prediction are linear, so each has two weights.

use super::steps::{Level, Linear, Sum};
use maquette_core::PredictionType;

/// Estimates from a prediction.
pub(super) trait Estimates {
    /// The clean latents in latents of this level.
    fn clean(self, level: Level) -> Linear;

    /// The noise in latents of this level, of variance 1.
    fn noise(self, level: Level) -> Linear;
}

impl Estimates for PredictionType {
    /// Source: `pred_original_sample` of diffusers' schedulers. The same formula is used for both forms of latents:
    /// variance-preserving (weights on the unit circle) and exploding (image 1, noise sigma).
    fn clean(self, Level { image, noise }: Level) -> Linear {
        let radius = image.hypot(noise);
        match self {
            PredictionType::Epsilon => Linear { sample: 1.0 / image, noise_pred: -noise / image },
            PredictionType::VPrediction => {
                Linear { sample: image / (radius * radius), noise_pred: -noise / radius }
            }
            PredictionType::Sample => Linear { sample: 0.0, noise_pred: 1.0 },
        }
    }

    fn noise(self, Level { image, noise }: Level) -> Linear {
        let radius = image.hypot(noise);
        match self {
            PredictionType::Epsilon => Linear { sample: 0.0, noise_pred: 1.0 },
            PredictionType::VPrediction => {
                Linear { sample: noise / (radius * radius), noise_pred: image / radius }
            }
            PredictionType::Sample => Linear { sample: 1.0 / noise, noise_pred: -image / noise },
        }
    }
}

impl Sum {
    /// Adds a weighted linear combination.
    pub(super) fn plus(mut self, weight: f64, linear: Linear) -> Sum {
        self.sample += weight * linear.sample;
        self.noise_pred += weight * linear.noise_pred;
        self
    }
}
