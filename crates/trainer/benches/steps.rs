//! Measures a step of training: `cargo bench -p maquette-trainer --bench steps -- FOLDER BATCH SIZE STEPS [OPTION ...]`.
//!
//! Prints the median and the least seconds of a step of a LoRA of rank 16 on the UNet's attention, without prior preservation. It is
//! what `tests/fixtures/training_speed.py` measures with peft and diffusers. Options: a device such as `cuda` (with the feature of
//! that name), `bf16` for mixed precision, `gradient_checkpointing`. There is no threshold.
#![allow(clippy::print_stdout, missing_docs)]

use maquette_core::{
    Digest, FoundFile, Image, LrScheduler, MixedPrecision, Training, TrainingCrop, TrainingImage,
    TrainingLayers, TrainingMethod,
};
use maquette_diffusion::{DeviceName, ModelSource};
use maquette_trainer::{Picture, TrainEvent, TrainJob, train};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [folder, batch, size, steps, options @ ..] = &arguments[..] else {
        println!("Usage: steps FOLDER BATCH SIZE STEPS [OPTION ...]");
        return Ok(());
    };
    let (mut device, mut mixed_precision) = (DeviceName::Cpu, MixedPrecision::No);
    let mut gradient_checkpointing = false;
    for option in options {
        match option.as_str() {
            "bf16" => mixed_precision = MixedPrecision::Bf16,
            "gradient_checkpointing" => gradient_checkpointing = true,
            word => device = word.parse()?,
        }
    }
    let (batch, size, steps): (u32, u32, u32) = (batch.parse()?, size.parse()?, steps.parse()?);
    let digest = Digest::from_bytes([0; 32]);
    let image = FoundFile { file: "a.png".into(), digest };
    let caption = "portrait of a man".to_owned();
    let training = Training {
        subject: "me".to_owned(),
        model: folder.clone(),
        fingerprint: digest,
        method: TrainingMethod::Lora,
        images: vec![TrainingImage { path: "a.png".to_owned(), image, mask: None, caption }],
        word: "sks man".to_owned(),
        class: "man".to_owned(),
        class_prompt: String::new(),
        num_class_images: 0,
        prior_loss_weight: 1.0,
        steps,
        batch_size: batch,
        learning_rate: 1e-4,
        text_learning_rate: 1e-4,
        lr_scheduler: LrScheduler::Constant,
        lr_warmup_steps: 0,
        max_grad_norm: 1.0,
        weight_decay: 0.01,
        snr_gamma: 0.0,
        rank: 16,
        alpha: 16.0,
        layers: TrainingLayers::Attention,
        train_text_encoder: false,
        num_vectors: 1,
        resolution: (size, size),
        crop: TrainingCrop::Center,
        random_flip: false,
        mixed_precision,
        gradient_checkpointing,
        seed: 0,
        folder: std::path::PathBuf::new(),
    };
    let rgb = (0..3 * size * size).map(|i| (i * 37 % 251) as u8).collect();
    let image = Image::new(size, size, rgb).ok_or("a size")?;
    let job = TrainJob {
        training: &training,
        source: &ModelSource::Folder(folder.into()),
        device,
        pictures: vec![Picture { image, mask: None }],
        class_pictures: Vec::new(),
        checkpoints: BTreeSet::new(),
        state: None,
    };
    let mut times = Vec::new();
    train(&job, &mut |event| {
        if let TrainEvent::Step { seconds, .. } = event {
            times.push(seconds);
        }
        ControlFlow::Continue(())
    })?;
    // The first one encodes the picture and the prompt.
    let mut times = times.split_off(1);
    times.sort_by(f64::total_cmp);
    println!("median {:.3} s, least {:.3} s", times[times.len() / 2], times[0]);
    Ok(())
}
