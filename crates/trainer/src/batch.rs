//! One step's pictures as tensors: noised latents, targets, and the weight of each picture in the loss.

use crate::draws::Draw;
use crate::latents::Encoded;
use crate::loss::snr_weight;
use crate::network::{Network, Sizes};
use candle_core::{Result, Tensor};
use maquette_core::{PredictionType, Training};

/// The rows of a step: the subject's pictures, then those of the class.
#[derive(Default)]
pub(crate) struct Batch {
    noised: Vec<Tensor>,
    targets: Vec<Tensor>,
    /// The weights of each row's values, `[1, 1, h, w]` or `[1, 1, 1, 1]`.
    weights: Vec<Tensor>,
    pub timesteps: Vec<f32>,
    pub sizes: Vec<Sizes>,
}

/// How the rows of a part of the batch count.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    /// The factor of each row: 1 divided by the number of rows, times the part's factor.
    pub factor: f64,
    /// The gamma of min-SNR weights; 0 for none.
    pub snr_gamma: f64,
}

impl Share {
    /// The subject's pictures.
    pub fn of_subject(training: &Training) -> Share {
        Share { factor: 1.0 / f64::from(training.batch_size), snr_gamma: training.snr_gamma }
    }

    /// The pictures of the class, without min-SNR weights, as in diffusers' scripts.
    pub fn of_class(training: &Training) -> Share {
        let factor = training.prior_loss_weight / f64::from(training.batch_size);
        Share { factor, snr_gamma: 0.0 }
    }
}

impl Batch {
    /// Adds a picture with its draws. `alphas` is `alphas_cumprod` of the training.
    pub fn add(
        &mut self,
        network: &Network,
        alphas: &[f32],
        encoded: &Encoded,
        draw: &Draw,
        share: Share,
    ) -> Result<()> {
        let shape = encoded.mean.shape();
        let normal = |numbers: &Vec<f32>| Tensor::from_vec(numbers.clone(), shape, encoded.mean.device());
        let latents = match &encoded.deviation {
            Some(deviation) => (&encoded.mean + (deviation * normal(&draw.posterior)?)?)?,
            None => encoded.mean.clone(),
        };
        let latents = (latents * network.vae().scaling_factor)?;
        let noise = normal(&draw.noise)?;
        let alpha = alphas[draw.timestep as usize];
        let (image, rest) = (f64::from(alpha.sqrt()), f64::from((1.0 - alpha).sqrt()));
        self.noised.push(((&latents * image)? + (&noise * rest)?)?);
        let prediction = network.prediction();
        self.targets.push(match prediction {
            // `DDPMScheduler.get_velocity` of diffusers.
            PredictionType::VPrediction => ((&noise * image)? - (&latents * rest)?)?,
            _ => noise,
        });
        let weight = share.factor * snr_weight(alpha, share.snr_gamma, prediction);
        self.weights.push(match &encoded.weights {
            Some(weights) => (weights * weight)?,
            None => Tensor::full(weight as f32, (1, 1, 1, 1), latents.device())?,
        });
        self.timesteps.push(draw.timestep as f32);
        self.sizes.push(encoded.sizes);
        Ok(())
    }

    /// The UNet's input, `[B, C, h, w]`.
    pub fn noised(&self) -> Result<Tensor> {
        Tensor::cat(&self.noised, 0)
    }

    /// The loss of a prediction: of each row the mean of its weighted squared errors, all added up.
    pub fn loss(&self, predicted: &Tensor) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        for (row, (target, weight)) in self.targets.iter().zip(&self.weights).enumerate() {
            let error = (predicted.narrow(0, row, 1)? - target)?.sqr()?;
            let loss = error.broadcast_mul(weight)?.mean_all()?;
            sum = Some(match sum {
                Some(sum) => (sum + loss)?,
                None => loss,
            });
        }
        sum.ok_or_else(|| candle_core::Error::Msg("a step has no pictures".to_owned()))
    }
}
