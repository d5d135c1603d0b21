//! Trainings of `tests/fixtures/training.py`, as jobs.

use maquette_core::{
    Digest, Image, LrScheduler, MixedPrecision, Training, TrainingCrop, TrainingImage, TrainingLayers,
    TrainingMethod,
};
use maquette_diffusion::{DeviceName, ModelSource};
use maquette_picture::decode;
use maquette_trainer::{Picture, TrainError, TrainEvent, TrainJob, Trained, train};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The settings of a training in the fixtures.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    pub method: TrainingMethod,
    pub word: String,
    pub class: String,
    pub class_prompt: String,
    pub prior_loss_weight: f64,
    pub steps: u32,
    pub batch_size: u32,
    pub learning_rate: f64,
    pub text_learning_rate: f64,
    pub lr_scheduler: LrScheduler,
    pub lr_warmup_steps: u32,
    pub max_grad_norm: f64,
    pub weight_decay: f64,
    pub snr_gamma: f64,
    pub rank: u32,
    pub alpha: f64,
    pub layers: TrainingLayers,
    pub train_text_encoder: bool,
    pub num_vectors: u32,
    pub random_flip: bool,
    pub crop: TrainingCrop,
    pub mask: bool,
    pub seed: u64,
    pub captions: Vec<String>,
}

/// A training in the fixtures, with torch's losses.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    pub name: String,
    pub model: String,
    pub settings: Settings,
    pub losses: Vec<f32>,
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

/// Everything that a job borrows.
pub struct Prepared {
    pub training: Training,
    source: ModelSource,
    with_mask: bool,
}

/// As for the engine's tests on a GPU: `MAQUETTE_FIXTURES`, or the folder of the tree where the tests were built.
pub fn fixture(name: &str) -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    std::env::var_os("MAQUETTE_FIXTURES").map_or_else(built, PathBuf::from).join(name)
}

/// `MAQUETTE_TEST_DEVICE`, or the CPU.
pub fn device() -> DeviceName {
    std::env::var("MAQUETTE_TEST_DEVICE").map_or(DeviceName::Cpu, |word| word.parse().unwrap())
}

pub fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(fixture("training/losses.json")).unwrap();
    serde_json::from_str::<Cases>(&text).unwrap().cases
}

pub fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

fn image(name: &str) -> Image {
    decode(&fixture(&format!("training/{name}.png"))).unwrap()
}

impl Prepared {
    pub fn new(case: &Case) -> Prepared {
        let settings = case.settings.clone();
        let digest = Digest::from_bytes([0; 32]);
        let found = || maquette_core::FoundFile { file: Path::new("a.png").into(), digest };
        let images = settings.captions.iter().map(|caption| TrainingImage {
            path: "a.png".to_owned(),
            image: found(),
            mask: settings.mask.then(found),
            caption: caption.clone(),
        });
        let training = Training {
            subject: "me".to_owned(),
            model: case.model.clone(),
            fingerprint: digest,
            method: settings.method,
            images: images.collect(),
            word: settings.word,
            class: settings.class,
            num_class_images: 2,
            class_prompt: settings.class_prompt,
            prior_loss_weight: settings.prior_loss_weight,
            steps: settings.steps,
            batch_size: settings.batch_size,
            learning_rate: settings.learning_rate,
            text_learning_rate: settings.text_learning_rate,
            lr_scheduler: settings.lr_scheduler,
            lr_warmup_steps: settings.lr_warmup_steps,
            max_grad_norm: settings.max_grad_norm,
            weight_decay: settings.weight_decay,
            snr_gamma: settings.snr_gamma,
            rank: settings.rank,
            alpha: settings.alpha,
            layers: settings.layers,
            train_text_encoder: settings.train_text_encoder,
            num_vectors: settings.num_vectors,
            resolution: (32, 32),
            crop: settings.crop,
            random_flip: settings.random_flip,
            seed: settings.seed,
            mixed_precision: MixedPrecision::No,
            gradient_checkpointing: false,
            folder: PathBuf::new(),
        };
        let source = ModelSource::Folder(fixture(&case.model));
        Prepared { training, source, with_mask: settings.mask }
    }

    pub fn job<'a>(&'a self, state: Option<&'a [u8]>) -> TrainJob<'a> {
        let mask = || self.with_mask.then(|| image("mask"));
        let pictures = (0..3).map(|i| Picture { image: image(&format!("subject-{i}")), mask: mask() });
        TrainJob {
            training: &self.training,
            source: &self.source,
            device: device(),
            pictures: pictures.collect(),
            class_pictures: (0..2).map(|i| image(&format!("class-{i}"))).collect(),
            checkpoints: BTreeSet::new(),
            state,
        }
    }
}

/// What a training reported.
#[derive(Default)]
pub struct Report {
    pub losses: Vec<f32>,
    pub rates: Vec<f64>,
    /// Step, weights, state.
    pub checkpoints: Vec<(u32, Vec<u8>, Vec<u8>)>,
}

/// Runs a job; `stop_after` is the step after whose event it is stopped.
pub fn run(job: &TrainJob, stop_after: Option<u32>) -> Result<(Trained, Report), TrainError> {
    let mut report = Report::default();
    let trained = train(job, &mut |event| {
        match event {
            TrainEvent::Prepared { .. } => {}
            TrainEvent::Step { step, loss, learning_rate, .. } => {
                report.losses.push(loss);
                report.rates.push(learning_rate);
                if Some(step) == stop_after {
                    return ControlFlow::Break(());
                }
            }
            TrainEvent::Checkpoint { step, weights, state } => {
                report.checkpoints.push((step, weights, state));
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok((trained, report))
}
