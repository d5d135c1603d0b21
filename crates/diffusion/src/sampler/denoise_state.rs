//! One picture on its way: its latents, its place in its trajectory, and everything that is its own.
//!
//! A flight knows nothing of the others that share its UNet calls, which is why they cannot change it.

use crate::image::reference::Posterior;
use crate::noise::Source;
use crate::sampler::latent_blend::{Held, Inpainting};
use crate::schedulers::{Estimate, Step, Sum, Trajectory};
use crate::text::conditioning::Conditioning;
use crate::text::encoded_prompt::EncodedPrompt;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Cell, Settings};
use std::collections::VecDeque;

/// The longest history that a scheduler asks for.
const HISTORY: usize = 3;

/// One cell between its first step and its last.
pub(crate) struct Flight {
    /// What is being made.
    pub cell: Cell,
    /// What its prompts tell it.
    pub conditioning: Conditioning,
    /// Seconds of the engine's time spent on it so far.
    pub seconds: f64,
    trajectory: Trajectory,
    done: usize,
    /// `[1, channels, height, width]`, always f32.
    latents: Tensor,
    remembered: Option<Tensor>,
    /// Estimates of the steps before, the most recent first.
    history: VecDeque<Tensor>,
    noise: Source,
    /// What holds the parts of a masked picture that may not move yet.
    held: Option<Held>,
    /// What a model made for inpainting sees beside the latents: the mask and what it leaves of the picture.
    seen: Option<Tensor>,
}

/// What a flight begins with.
pub(crate) struct Departure {
    pub cell: Cell,
    pub trajectory: Trajectory,
    pub conditioning: Conditioning,
    /// `[channels, height, width]` of the latents.
    pub shape: [usize; 3],
    /// The reference picture and the model's scaling factor.
    pub reference: Option<(Posterior, f64)>,
    /// How the mask acts, if there is one.
    pub inpainting: Option<Inpainting>,
}

impl Flight {
    /// Draws the first noise, in diffusers' order: the reference picture's posterior, the latents, and under a mask
    /// the masked picture's posterior, even where nothing looks at it.
    pub fn new(departure: Departure, device: &Device) -> Result<Flight> {
        let Departure { cell, trajectory, conditioning, shape, reference, inpainting } = departure;
        let mut noise = Source::new(&cell.settings);
        let start = trajectory.start;
        // Diffusers encodes no picture that neither the start nor the blending needs.
        let needed = start.image != 0.0 || matches!(inpainting, Some(Inpainting::Held(_)));
        let image = match &reference {
            Some((posterior, scaling_factor)) if needed => {
                let drawn = tensor(noise.randn(shape.iter().product()), shape, device)?;
                Some(posterior.latents(&drawn, *scaling_factor)?)
            }
            _ => None,
        };
        let drawn = tensor(noise.latents(shape), shape, device)?;
        let mut latents = (&drawn * start.noise)?;
        if let Some(image) = &image {
            latents = ((image * start.image)? + latents)?;
        }
        let (mut held, mut seen) = (None, None);
        if let (Some(inpainting), Some((_, scaling_factor))) = (inpainting, reference) {
            let of_masked = tensor(noise.randn(shape.iter().product()), shape, device)?;
            match inpainting {
                Inpainting::Held(levels) => {
                    let steps = trajectory.steps.len();
                    held = image.map(|image| Held::new(&levels, steps, image, drawn));
                }
                Inpainting::Seen { mask, masked } => {
                    seen = Some(Tensor::cat(&[mask, masked.latents(&of_masked, scaling_factor)?], 1)?);
                }
            }
        }
        Ok(Flight {
            cell,
            conditioning,
            seconds: 0.0,
            trajectory,
            done: 0,
            latents,
            remembered: None,
            history: VecDeque::with_capacity(HISTORY),
            noise,
            held,
            seen,
        })
    }

    /// How many UNet calls it takes in all.
    pub fn steps(&self) -> usize {
        self.trajectory.steps.len()
    }

    /// How many are done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// How many rows it takes in a UNet call: two under guidance.
    pub fn rows(&self) -> usize {
        self.conditioning.rows()
    }

    /// The embeddings of its rows in the next UNet call, negative prompt first.
    pub fn embeddings(&self) -> impl Iterator<Item = &EncodedPrompt> {
        self.conditioning.at(self.cell.settings.scheduler, self.done)
    }

    /// Whether every step is done.
    pub fn landed(&self) -> bool {
        self.done == self.steps()
    }

    /// The latents as they are: the picture's, once landed.
    pub fn latents(&self) -> &Tensor {
        &self.latents
    }

    /// What the UNet is given for the next step: the scaled latents, with what it sees beside them, and the timestep.
    pub fn input(&self) -> Result<(Tensor, f32)> {
        let step = self.step();
        let latents = (&self.latents * step.input_scale)?;
        let input = match &self.seen {
            Some(seen) => Tensor::cat(&[&latents, seen], 1)?,
            None => latents,
        };
        Ok((input, step.timestep))
    }

    /// Takes the noise that the UNet predicted, `[rows, channels, height, width]`, negative prompt first, and moves on.
    pub fn advance(&mut self, noise_pred: &Tensor) -> Result<()> {
        let noise_pred = noise_pred.to_dtype(DType::F32)?;
        let Settings { guidance_scale, guidance_rescale, .. } = self.cell.settings;
        let guidance_rescale = guidance_rescale.unwrap_or(0.0);
        let noise_pred = self.conditioning.combine(&noise_pred, guidance_scale, guidance_rescale)?;
        let step = self.step().clone();
        let estimate = match step.estimate {
            Some(Estimate { of, clip }) => {
                let estimate = weighted([(of.sample, &self.latents), (of.noise_pred, &noise_pred)])?;
                Some(match clip {
                    Some(range) => estimate.clamp(-range, range)?,
                    None => estimate,
                })
            }
            None => None,
        };
        let next = self.sum(&step.next, &noise_pred, estimate.as_ref())?;
        let next = match step.noise {
            // Drawn even when its weight is 0: the generator's position must not depend on the schedule's values.
            Some(weight) => weighted([(1.0, &next), (weight, &self.fresh_noise()?)])?,
            None => next,
        };
        if let Some(remember) = &step.remember {
            self.remembered = Some(self.sum(remember, &noise_pred, estimate.as_ref())?);
        }
        if let Some(estimate) = estimate {
            self.history.truncate(HISTORY - 1);
            self.history.push_front(estimate);
        }
        self.latents = match &self.held {
            Some(held) => {
                let level = self.trajectory.steps.get(self.done + 1).map(|step| step.level);
                held.hold(&next, self.done, level)?
            }
            None => next,
        };
        self.done += 1;
        Ok(())
    }

    fn step(&self) -> &Step {
        &self.trajectory.steps[self.done]
    }

    /// `estimate` is this step's own, before it joins the history.
    fn sum(&self, sum: &Sum, noise_pred: &Tensor, estimate: Option<&Tensor>) -> Result<Tensor> {
        let terms = [
            (sum.sample, Some(&self.latents)),
            (sum.remembered, self.remembered.as_ref()),
            (sum.noise_pred, Some(noise_pred)),
            (sum.estimate, estimate),
        ];
        let history = sum.history.iter().copied().zip(self.history.iter().map(Some));
        weighted(terms.into_iter().chain(history).filter_map(|(weight, tensor)| Some((weight, tensor?))))
    }

    fn fresh_noise(&mut self) -> Result<Tensor> {
        let (_, channels, height, width) = self.latents.dims4()?;
        let drawn = self.noise.randn(channels * height * width);
        tensor(drawn, [channels, height, width], self.latents.device())
    }
}

/// A weighted sum of tensors; weights of 0 and 1 cost nothing.
fn weighted<'a>(terms: impl IntoIterator<Item = (f64, &'a Tensor)>) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (weight, tensor) in terms.into_iter().filter(|(weight, _)| *weight != 0.0) {
        let term = if weight == 1.0 { tensor.clone() } else { (tensor * weight)? };
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a step that weighs nothing".to_owned()))
}

/// `[1, channels, height, width]`, from numbers drawn on the host.
fn tensor(drawn: Vec<f32>, [channels, height, width]: [usize; 3], device: &Device) -> Result<Tensor> {
    Tensor::from_vec(drawn, (1, channels, height, width), device)
}
