//! The loop: draw, predict, compare, step.

use crate::adamw::{AdamW, Gradients};
use crate::batch::{Batch, Share};
use crate::draws::{Draw, Drawn, Draws, Order};
use crate::error::TrainError;
use crate::event::{TrainEvent, Trained};
use crate::job::TrainJob;
use crate::latents::Pictures;
use crate::learning_rate::factor;
use crate::network::{DTYPE, Network, dtype};
use crate::output;
use crate::parameters::Parameters;
use crate::prompts::Prompts;
use crate::state;
use candle_core::Var;
use maquette_core::{Training, TrainingCrop, TrainingMethod};
use maquette_diffusion::{LoadOptions, Variables};
use maquette_kernels::{self as kernels, Keep, record, reference};
use std::ops::ControlFlow;
use std::time::Instant;

/// Trains a subject. `observe` gets every event; if it returns [`Break`](ControlFlow::Break), the training stops after the
/// step in progress, with a checkpoint.
///
/// The same job gives the same bytes on the CPU, whatever the number of threads, with and without interruptions.
pub fn train(
    job: &TrainJob,
    observe: &mut dyn FnMut(TrainEvent) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    job.check()?;
    let training = job.training;
    let device = job.device.open()?;
    let trains_unet = training.method == TrainingMethod::Dreambooth;
    let variables = Variables::matching(move |name| trains_unet && name.starts_with("unet."));
    let dtype = dtype(training);
    let options = LoadOptions::new(&device, dtype)
        .with_kernels(kernels::training(&device, dtype))
        .with_text_kernels(if trains_text(training) {
            reference()
        } else {
            kernels::training(&device, dtype)
        })
        .with_variables(&variables);
    let network = Network::load(job.source, &options, training)?;
    let (width, height) = training.resolution;
    let factor = network.vae().factor() as u32;
    if width == 0 || height == 0 || !width.is_multiple_of(factor) || !height.is_multiple_of(factor) {
        return Err(TrainError::Resolution { width, height, factor });
    }

    let mut draws = Draws::new(training.seed);
    let parameters = Parameters::new(training, &network, variables.into_inner(), &mut draws)?;
    let mut optimizer = AdamW::new(&parameters.all, training.weight_decay)?;
    if let Some(bytes) = job.state {
        state::restore(bytes, training, &parameters, &mut optimizer, &device)?;
    }
    let done = optimizer.steps;
    let mut run = Run {
        training,
        alphas: network.schedule().alphas_cumprod(),
        prompts: prompts(training, &parameters),
        subject: Pictures::new(
            job.pictures.iter().map(|it| (&it.image, it.mask.as_ref())),
            training.resolution,
            &device,
        )?,
        class: Pictures::new(job.class_pictures.iter().map(|it| (it, None)), training.resolution, &device)?,
        network,
        parameters,
        optimizer,
    };
    if observe(TrainEvent::Prepared { done, parameters: run.parameters.count() }).is_break() {
        return Ok(Trained::Stopped { step: done });
    }
    let mut steps = Steps::new(&run, draws)?;
    for step in 1..=training.steps {
        let drawn = steps.next(training);
        if step <= done {
            continue;
        }
        let clock = Instant::now();
        let (loss, learning_rate) = run.step(step, &drawn)?;
        let seconds = clock.elapsed().as_secs_f64();
        let event = TrainEvent::Step { step, steps: training.steps, loss, learning_rate, seconds };
        let stop = observe(event).is_break() && step < training.steps;
        if stop || step == training.steps || job.checkpoints.contains(&step) {
            let stop_here = observe(run.checkpoint(step)?).is_break() && step < training.steps;
            if stop || stop_here {
                return Ok(Trained::Stopped { step });
            }
        }
    }
    Ok(Trained::Finished)
}

/// A training in progress.
struct Run<'a> {
    training: &'a Training,
    network: Network,
    alphas: Vec<f32>,
    parameters: Parameters,
    optimizer: AdamW,
    prompts: Prompts,
    subject: Pictures,
    class: Pictures,
}

impl Run<'_> {
    /// One step: its loss, and its learning rate.
    fn step(&mut self, step: u32, drawn: &[(Part, Draw)]) -> Result<(f32, f64), TrainError> {
        let training = self.training;
        let mut batch = Batch::default();
        let mut captions = Vec::new();
        for (part, draw) in drawn {
            let (pictures, share, caption) = match part {
                Part::Subject => {
                    let caption = &training.images[draw.view.picture].caption;
                    (&mut self.subject, Share::of_subject(training), caption)
                }
                Part::Class => (&mut self.class, Share::of_class(training), &training.class_prompt),
            };
            let encoded = pictures.view(draw.view, &self.network)?;
            batch.add(&self.network, &self.alphas, &encoded, draw, share)?;
            captions.push(caption.as_str());
        }
        let prompts = self.prompts.encode(&self.network, &captions)?;
        let noised = batch.noised()?;
        let keep = if training.gradient_checkpointing { Keep::Checkpoints } else { Keep::Calls };
        let (predicted, recording) =
            record(keep, || self.network.predict(&noised, &batch.timesteps, &prompts, &batch.sizes));
        let predicted = predicted?;
        let of_loss = Var::from_tensor(&predicted.to_dtype(DTYPE)?)?;
        let loss = batch.loss(&of_loss)?;
        let number = loss.to_scalar::<f32>()?;
        // The loss depends on the prediction, so it has a gradient.
        let slope = loss.backward()?.remove(&of_loss).unwrap_or(of_loss.zeros_like()?);
        let slope = slope.to_dtype(predicted.dtype())?;
        let mut gradients = Gradients::of(&self.parameters.all, recording.backward(&predicted, slope)?)?;
        let norm = gradients.norm()?;
        if !number.is_finite() || !norm.is_finite() {
            let loss = if number.is_finite() { f32::NAN } else { number };
            return Err(TrainError::NotFinite { step, loss, learning_rate: training.learning_rate });
        }
        if training.max_grad_norm > 0.0 {
            gradients.clip(norm, training.max_grad_norm)?;
        }
        let factor = factor(training, step - 1);
        let rate = |name: &str| factor * Parameters::learning_rate(training, name);
        self.optimizer.step(&self.parameters.all, &gradients, rate)?;
        Ok((number, factor * training.learning_rate))
    }

    fn checkpoint(&self, step: u32) -> Result<TrainEvent, TrainError> {
        Ok(TrainEvent::Checkpoint {
            step,
            weights: output::weights(self.training, &self.network, &self.parameters, step)?,
            state: state::save(self.training, &self.parameters, &self.optimizer)?,
        })
    }
}

/// Which pictures a row of a step is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Subject,
    Class,
}

/// The draws of all steps, in order.
struct Steps {
    draws: Draws,
    subject: Order,
    class: Order,
    /// How many rows and columns are cut off each picture.
    subject_cut: Vec<(u32, u32)>,
    class_cut: Vec<(u32, u32)>,
    timesteps: u32,
    latents: usize,
    posterior: bool,
}

impl Steps {
    fn new(run: &Run, draws: Draws) -> Result<Steps, TrainError> {
        let (width, height) = run.training.resolution;
        let vae = run.network.vae();
        let factor = vae.factor();
        Ok(Steps {
            draws,
            subject: Order::default(),
            class: Order::default(),
            subject_cut: run.subject.cut(),
            class_cut: run.class.cut(),
            timesteps: run.alphas.len() as u32,
            latents: vae.latent_channels * (width as usize / factor) * (height as usize / factor),
            posterior: vae.is_variational(),
        })
    }

    fn next(&mut self, training: &Training) -> Vec<(Part, Draw)> {
        let mut all = Vec::new();
        let parts = [(Part::Subject, true), (Part::Class, training.has_prior())];
        for (part, _) in parts.into_iter().filter(|(_, is_used)| *is_used) {
            let (order, cut) = match part {
                Part::Subject => (&mut self.subject, &self.subject_cut),
                Part::Class => (&mut self.class, &self.class_cut),
            };
            let drawn = Drawn {
                cut,
                flips: training.random_flip,
                crops: training.crop == TrainingCrop::Random,
                timesteps: self.timesteps,
                latents: self.latents,
                posterior: self.posterior,
            };
            for _ in 0..training.batch_size {
                all.push((part, self.draws.next(order, &drawn)));
            }
        }
        all
    }
}

fn prompts(training: &Training, parameters: &Parameters) -> Prompts {
    Prompts::new(parameters.word(training), trains_text(training))
}

/// Whether the embeddings of prompts change from step to step.
fn trains_text(training: &Training) -> bool {
    match training.method {
        TrainingMethod::Lora => training.train_text_encoder,
        TrainingMethod::TextualInversion => true,
        TrainingMethod::Dreambooth => false,
    }
}
