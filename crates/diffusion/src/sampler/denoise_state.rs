//! One cell between its first and its last step: its latents, its position in the trajectory, and its other state.
//!
//! A state has no access to the other cells in its denoiser calls, so they cannot affect it.

use crate::image::posterior::Posterior;
use crate::noise::NoiseGenerator;
use crate::sampler::control::Control;
use crate::sampler::image_prompt::ImageCondition;
use crate::sampler::latent_blend::{Inpainting, LatentBlend};
use crate::schedulers::{Estimate, Step, Sum, Trajectory};
use crate::text::conditioning::Conditioning;
use crate::text::encoded_prompt::EncodedPrompt;
use candle_core::{DType, Device, Result, Tensor};
use maquette_core::{Cell, DeepCache};
use std::collections::VecDeque;
use std::ops::Range;

/// The longest history that a scheduler needs.
const HISTORY: usize = 3;

/// How much of the denoiser a state's next call computes; see [`crate::models::unet::depth::Depth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// All of it.
    Whole,
    /// All of it, and the features of a branch are kept.
    Keep { branch: usize },
    /// Only the layers outside of a branch.
    Shallow { branch: usize },
}

/// One cell between its first and its last step.
pub(super) struct DenoiseState {
    /// The cell.
    pub cell: Cell,
    conditioning: Conditioning,
    /// Of classifier-free guidance.
    guidance_scale: f64,
    /// The calls that use it; all others have a scale of 1.
    guided_calls: Range<usize>,
    tokens: usize,
    /// Seconds that the engine has spent on it so far, except on the steps of `unshared_rows`.
    pub seconds: f64,
    /// Its rows in calls whose time was not yet shared.
    pub unshared_rows: usize,
    trajectory: Trajectory,
    done: usize,
    /// `[1, channels, height, width]`, always f32.
    latents: Tensor,
    remembered: Option<Tensor>,
    /// Estimates of earlier steps, the most recent first.
    history: VecDeque<Tensor>,
    deepcache: Option<DeepCache>,
    /// The features that a later call may reuse, `[rows, channels, height, width]`, the negative prompt first.
    features: Option<Tensor>,
    noise: NoiseGenerator,
    /// Resets parts of a masked picture to the reference.
    blend: Option<LatentBlend>,
    /// The additional input of an inpainting model: the mask, and the latents of the picture without the masked part.
    mask_input: Option<Tensor>,
    control: Option<Control>,
    image: Option<ImageCondition>,
}

/// The inputs of a cell.
pub(super) struct DenoiseInputs {
    pub cell: Cell,
    pub trajectory: Trajectory,
    pub conditioning: Conditioning,
    /// The scale of classifier-free guidance.
    pub guidance_scale: f64,
    /// `[channels, height, width]` of the latents.
    pub shape: [usize; 3],
    /// The reference picture.
    pub reference: Option<Posterior>,
    /// How the mask is applied, if there is one.
    pub inpainting: Option<Inpainting>,
    /// The ControlNet that it follows.
    pub control: Option<Control>,
    /// The picture that it attends to.
    pub image: Option<ImageCondition>,
}

impl DenoiseState {
    /// Draws the initial noise, in diffusers' order: the reference picture's posterior, the latents, and with a mask the
    /// masked picture's posterior, even if it is not used.
    pub fn start(inputs: DenoiseInputs, device: &Device) -> Result<DenoiseState> {
        let DenoiseInputs { cell, trajectory, conditioning, guidance_scale, shape, reference, .. } = inputs;
        let DenoiseInputs { inpainting, control, image: image_condition, .. } = inputs;
        let mut noise = NoiseGenerator::new(&cell.settings);
        let start = trajectory.start;
        // Diffusers does not encode a picture that neither the start nor the blending needs, except in pipelines of flow.
        let is_flow = cell.settings.scheduler.is_flow();
        let needed = is_flow || start.image != 0.0 || matches!(inpainting, Some(Inpainting::Blend(_)));
        let image = match &reference {
            Some(posterior) if needed => {
                Some(posterior.latents(|| tensor(noise.randn(shape.iter().product()), shape, device))?)
            }
            _ => None,
        };
        let drawn = tensor(noise.latents(shape), shape, device)?;
        let mut latents = (&drawn * start.noise)?;
        if let Some(image) = &image {
            latents = ((image * start.image)? + latents)?;
        }
        let (mut blend, mut mask_input) = (None, None);
        if let (Some(inpainting), Some(reference)) = (inpainting, reference) {
            let mut draw = || tensor(noise.randn(shape.iter().product()), shape, device);
            match inpainting {
                Inpainting::Blend(levels) => {
                    // Of the masked picture, which is encoded by the same autoencoder.
                    if reference.logvar.is_some() {
                        draw()?;
                    }
                    let steps = trajectory.steps.len();
                    blend = image.map(|image| LatentBlend::new(&levels, steps, image, drawn)).transpose()?;
                }
                Inpainting::Condition(mask) => {
                    mask_input = Some(Tensor::cat(&[mask.mask, mask.masked.latents(draw)?], 1)?);
                }
            }
        }
        Ok(DenoiseState {
            guided_calls: cell.settings.guided_calls(),
            deepcache: cell.settings.deepcache(),
            features: None,
            cell,
            tokens: conditioning.tokens(),
            conditioning,
            guidance_scale,
            seconds: 0.0,
            unshared_rows: 0,
            trajectory,
            done: 0,
            latents,
            remembered: None,
            history: VecDeque::with_capacity(HISTORY),
            noise,
            blend,
            mask_input,
            control,
            image: image_condition,
        })
    }

    /// The total number of denoiser calls.
    pub fn steps(&self) -> usize {
        self.trajectory.steps.len()
    }

    /// The number of steps that are done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The number of its rows in the next call: two with guidance.
    pub fn rows(&self) -> usize {
        self.conditioning.rows(self.is_guided())
    }

    /// The most rows in a call of those that are left.
    pub fn most_rows(&self) -> usize {
        self.conditioning.rows(self.done < self.guided_calls.end)
    }

    /// Whether the next call uses the guidance scale.
    fn is_guided(&self) -> bool {
        self.guided_calls.contains(&self.done)
    }

    /// How much of the denoiser the next call computes.
    ///
    /// All of it in every call that is a multiple of the interval, and where guidance begins: there are no features for the
    /// negative prompt then.
    pub fn reach(&self) -> Reach {
        let Some(DeepCache { interval, branch_id }) = self.deepcache else { return Reach::Whole };
        let branch = branch_id as usize;
        let kept = self.features.as_ref().map_or(0, |features| features.dims()[0]);
        match self.done.is_multiple_of(interval as usize) || kept < self.rows() {
            true => Reach::Keep { branch },
            false => Reach::Shallow { branch },
        }
    }

    /// The features for the rows of the next call.
    pub fn features(&self) -> Result<Tensor> {
        let none = || candle_core::Error::Msg("no features were kept".to_owned());
        let features = self.features.as_ref().ok_or_else(none)?;
        // Without guidance there is no row for the negative prompt, which is the first.
        features.narrow(0, features.dim(0)? - self.rows(), self.rows())
    }

    /// Keeps the features of a call that computed them.
    pub fn keep(&mut self, features: Option<Tensor>) {
        if features.is_some() {
            self.features = features;
        }
    }

    /// The length of its prompts' embeddings, which must be the same for all rows of a call.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The prompts of its rows in the next call, the negative prompt first.
    pub fn prompts(&self) -> impl Iterator<Item = &EncodedPrompt> {
        self.conditioning.at(self.cell.settings.scheduler, self.done, self.is_guided())
    }

    /// The ControlNet of the next call.
    pub fn control(&self) -> Option<&Control> {
        self.control.as_ref().filter(|control| control.calls.contains(&self.done))
    }

    /// The picture that it attends to, with a token sequence for each of its rows in the next call.
    pub fn image(&self) -> Option<(&ImageCondition, impl Iterator<Item = &Tensor>)> {
        let image = self.image.as_ref()?;
        let [shown, none] = &image.tokens;
        let negative = self.conditioning.has_negative(self.is_guided());
        let rows = self.rows();
        Some((image, (0..rows).map(move |row| if row == 0 && negative { none } else { shown })))
    }

    /// Whether every step is done.
    pub fn is_done(&self) -> bool {
        self.done == self.steps()
    }

    /// The current latents; the picture's once every step is done.
    pub fn latents(&self) -> &Tensor {
        &self.latents
    }

    /// The denoiser's input for the next step: the scaled latents, with an inpainting model's additional input, and the
    /// timestep.
    pub fn input(&self) -> Result<(Tensor, f32)> {
        let step = self.current();
        let latents = (&self.latents * step.input_scale)?;
        let input = match &self.mask_input {
            Some(mask_input) => Tensor::cat(&[&latents, mask_input], 1)?,
            None => latents,
        };
        Ok((input, step.timestep))
    }

    /// One prediction from those of its rows, `[rows, channels, height, width]`, the negative prompt first.
    pub fn guide(&self, predicted: &Tensor) -> Result<Tensor> {
        let predicted = predicted.to_dtype(DType::F32)?;
        let guidance_rescale = self.cell.settings.guidance_rescale.unwrap_or(0.0);
        let guidance_scale = if self.is_guided() { self.guidance_scale } else { 1.0 };
        self.conditioning.combine(&predicted, guidance_scale, guidance_rescale)
    }

    /// Computes the latents after this step, and saves what later steps need.
    pub fn step(&mut self, noise_pred: &Tensor) -> Result<Tensor> {
        let step = self.current().clone();
        let estimate = match step.estimate {
            Some(Estimate { of, clip }) => {
                let estimate = weighted([(of.sample, &self.latents), (of.noise_pred, noise_pred)])?;
                Some(match clip {
                    Some(range) => estimate.clamp(-range, range)?,
                    None => estimate,
                })
            }
            None => None,
        };
        let next = self.sum(&step.next, noise_pred, estimate.as_ref())?;
        let next = match step.noise {
            // Drawn even if its weight is 0: the generator's position must not depend on the schedule's values.
            Some(weight) => weighted([(1.0, &next), (weight, &self.fresh_noise()?)])?,
            None => next,
        };
        if let Some(remember) = &step.remember {
            self.remembered = Some(self.sum(remember, noise_pred, estimate.as_ref())?);
        }
        if let Some(estimate) = estimate {
            self.history.truncate(HISTORY - 1);
            self.history.push_front(estimate);
        }
        Ok(next)
    }

    /// The latents with parts reset to the reference by the mask.
    pub fn blend(&self, latents: Tensor) -> Result<Tensor> {
        let Some(blend) = &self.blend else { return Ok(latents) };
        let next_level = self.trajectory.steps.get(self.done + 1).map(|step| step.level);
        blend.blend(&latents, self.done, next_level)
    }

    /// Advances to the next step with these latents.
    pub fn advance(&mut self, latents: Tensor) {
        self.latents = latents;
        self.done += 1;
    }

    fn current(&self) -> &Step {
        &self.trajectory.steps[self.done]
    }

    /// `estimate` is this step's own, before it is added to the history.
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

/// A weighted sum of tensors; weights of 0 and 1 need no multiplication.
fn weighted<'a>(terms: impl IntoIterator<Item = (f64, &'a Tensor)>) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (weight, tensor) in terms.into_iter().filter(|(weight, _)| *weight != 0.0) {
        let term = if weight == 1.0 { tensor.clone() } else { (tensor * weight)? };
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a step has no weights".to_owned()))
}

/// `[1, channels, height, width]`, from values drawn on the host.
fn tensor(drawn: Vec<f32>, [channels, height, width]: [usize; 3], device: &Device) -> Result<Tensor> {
    Tensor::from_vec(drawn, (1, channels, height, width), device)
}
