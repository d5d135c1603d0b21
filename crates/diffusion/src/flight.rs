//! One picture on its way: its latents, its place in its trajectory, and everything that is its own.
//!
//! A flight knows nothing of the others that share its UNet calls, which is why they cannot change it.

use crate::conditioning::Conditioning;
use crate::inpaint::{Held, Inpainting};
use crate::noise::TorchCpu;
use crate::reference::Posterior;
use crate::schedulers::{Clipped, Step, Trajectory};
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::Cell;
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
    /// Noise predicted before, the most recent first.
    history: VecDeque<Tensor>,
    noise: TorchCpu,
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
        let mut noise = TorchCpu::new(cell.settings.seed);
        let start = trajectory.start;
        // Diffusers encodes no picture that neither the start nor the blending needs.
        let needed = start.image != 0.0 || matches!(inpainting, Some(Inpainting::Held(_)));
        let image = match &reference {
            Some((posterior, scaling_factor)) if needed => {
                let drawn = gaussian(&mut noise, shape, device)?;
                Some(posterior.latents(&drawn, *scaling_factor)?)
            }
            _ => None,
        };
        let drawn = gaussian(&mut noise, shape, device)?;
        let mut latents = (&drawn * start.noise)?;
        if let Some(image) = &image {
            latents = ((image * start.image)? + latents)?;
        }
        let (mut held, mut seen) = (None, None);
        if let (Some(inpainting), Some((_, scaling_factor))) = (inpainting, reference) {
            let of_masked = gaussian(&mut noise, shape, device)?;
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
    pub fn embeddings(&self) -> impl Iterator<Item = &Tensor> {
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
        let noise_pred = self.conditioning.combine(&noise_pred, self.cell.settings.guidance_scale)?;
        let step = self.step().clone();
        let next = self.next(&step, &noise_pred)?;
        if step.remember {
            self.remembered = Some(self.latents.clone());
        }
        if step.keep {
            self.history.truncate(HISTORY - 1);
            self.history.push_front(noise_pred);
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

    fn next(&mut self, step: &Step, noise_pred: &Tensor) -> Result<Tensor> {
        let update = &step.next;
        let mut sum = Sum(None);
        sum.add(update.sample, &self.latents)?;
        if let Some(remembered) = &self.remembered {
            sum.add(update.remembered, remembered)?;
        }
        sum.add(update.noise_pred, noise_pred)?;
        for (&weight, kept) in update.history.iter().zip(&self.history) {
            sum.add(weight, kept)?;
        }
        if let Some(Clipped { sample, noise_pred: noise, range, weight }) = update.clipped {
            let estimate = ((&self.latents * sample)? + (noise_pred * noise)?)?;
            sum.add(weight, &estimate.clamp(-range, range)?)?;
        }
        if let Some(weight) = update.noise {
            let (_, channels, height, width) = self.latents.dims4()?;
            // Drawn even when its weight is 0: the generator's position must not depend on the schedule's values.
            let drawn = gaussian(&mut self.noise, [channels, height, width], self.latents.device())?;
            sum.add(weight, &drawn)?;
        }
        sum.0.ok_or_else(|| candle_core::Error::Msg("a step that weighs nothing".to_owned()))
    }
}

/// A weighted sum of tensors; weights of 0 cost nothing.
struct Sum(Option<Tensor>);

impl Sum {
    fn add(&mut self, weight: f64, tensor: &Tensor) -> Result<()> {
        if weight != 0.0 {
            let term = (tensor * weight)?;
            self.0 = Some(match self.0.take() {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
        Ok(())
    }
}

/// `torch.randn(1, channels, height, width)` from a picture's own generator, drawn on the host.
fn gaussian(noise: &mut TorchCpu, [channels, height, width]: [usize; 3], device: &Device) -> Result<Tensor> {
    Tensor::from_vec(noise.randn(channels * height * width), (1, channels, height, width), device)
}
