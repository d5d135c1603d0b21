//! A family whose device is simulated by counting: its memory, its loss and its time.

use crate::device::{DeviceName, Driver};
use crate::error::ModelError;
use crate::families::error::RenderError;
use crate::families::family::{Family, Predicted, Rows};
use crate::image::posterior::Posterior;
use crate::sampler::engine::Engine;
use crate::sampler::loaded_model::LoadFamily;
use crate::schedulers::{Sampling, ScheduleError, SchedulerConfig, Trajectory, trajectory};
use crate::text::conditioning::{Conditioning, Timeline};
use crate::text::encoded_prompt::EncodedPrompt;
use crate::weights::load_options::LoadOptions;
use crate::weights::lora::LoraError;
use crate::weights::source::ModelSource;
use candle_core::{DType, Device, Result, Tensor, bail};
use maquette_core::{
    Backend, BackendError, Cell, CellId, Dialect, Dtype, Event, Image, Lora, Noise, Scheduler, Settings,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A simulated device's limits, and the calls to it.
#[derive(Default)]
pub(super) struct Counter {
    /// The most rows that fit in a call.
    pub(super) rows: usize,
    /// The most pictures that can be decoded together.
    pub(super) pictures: usize,
    /// How many calls the device survives.
    pub(super) lives: usize,
    /// What a call says once the device is lost.
    pub(super) lost: &'static str,
    /// Which of the pictures that are decoded together contains NaN.
    pub(super) nan: Option<usize>,
    /// How many rows more fit after each release of memory, the last one first.
    pub(super) kept: Vec<usize>,
    pub(super) calls: Vec<usize>,
    pub(super) decodes: Vec<usize>,
    /// The time that was spent waiting for the device.
    pub(super) waited: Duration,
    pub(super) waits: usize,
}

impl Counter {
    fn is_lost(&self) -> bool {
        self.calls.len() > self.lives
    }
}

/// The simulated device's driver, whose work takes time that only waiting shows.
pub(super) struct FakeDriver(pub(super) Rc<RefCell<Counter>>);

impl Driver for FakeDriver {
    fn synchronize(&self) -> Result<()> {
        let clock = Instant::now();
        while clock.elapsed() < Duration::from_micros(200) {
            std::hint::spin_loop();
        }
        let mut counter = self.0.borrow_mut();
        counter.waited += clock.elapsed();
        counter.waits += 1;
        Ok(())
    }

    fn probe(&self) -> Result<()> {
        if self.0.borrow().is_lost() {
            bail!("DriverError(CUDA_ERROR_UNKNOWN, \"unknown error\")")
        } else {
            Ok(())
        }
    }

    fn trim(&self) -> bool {
        let mut counter = self.0.borrow_mut();
        let more = counter.kept.pop();
        counter.rows += more.unwrap_or(0);
        more.is_some()
    }

    fn free_memory(&self) -> Option<u64> {
        None
    }
}

pub(super) const LAUNCH_FAILED: &str =
    "DriverError(CUDA_ERROR_LAUNCH_FAILED, \"unspecified launch failure\")";
pub(super) const LATE: &str =
    "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
pub(super) const LATE_IN_DECODE: &str = "DriverError(CUDA_ERROR_MISALIGNED_ADDRESS, \"misaligned address\")";

/// A family whose pictures depend only on their latents.
pub(super) struct Fake {
    pub(super) counter: Rc<RefCell<Counter>>,
    pub(super) scheduler: SchedulerConfig,
}

impl Family for Fake {
    fn factor(&self) -> usize {
        1
    }

    fn latent_channels(&self) -> usize {
        3
    }

    fn is_inpainting(&self) -> bool {
        false
    }

    fn embeds_guidance(&self) -> bool {
        false
    }

    fn trajectory(&self, sampling: &Sampling) -> std::result::Result<Trajectory, ScheduleError> {
        trajectory(&self.scheduler, sampling)
    }

    fn set_loras(&mut self, _: &[Lora]) -> std::result::Result<(), LoraError> {
        let counter = self.counter.borrow();
        // Errors arrive late: here, that of the last call.
        if counter.calls.len() == counter.lives && counter.lost == LATE {
            return Err(LoraError::Device { source: candle_core::Error::Msg(LATE.to_owned()) });
        }
        Ok(())
    }

    fn conditioning(
        &mut self,
        settings: &Settings,
        _: &mut Vec<String>,
    ) -> std::result::Result<Conditioning, RenderError> {
        let timeline = || -> Result<Timeline> {
            let sequence = Tensor::zeros((1, 77, 1), DType::F32, &Device::Cpu)?;
            Ok(Timeline { stages: vec![(usize::MAX, EncodedPrompt { sequence, pooled: None })] })
        };
        let negative = if settings.guided() { Some(timeline()?) } else { None };
        Ok(Conditioning::new(vec![(timeline()?, 1.0)], negative, None)?)
    }

    fn predict(&self, rows: &Rows) -> Result<Predicted> {
        let mut counter = self.counter.borrow_mut();
        counter.calls.push(rows.timesteps.len());
        if counter.is_lost() {
            bail!("{}", counter.lost);
        }
        if rows.timesteps.len() > counter.rows {
            bail!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
        }
        Ok(Predicted { rows: (&rows.latents * 0.25)?, features: None })
    }

    fn encode(&self, _: &Tensor) -> Result<Posterior> {
        bail!("no picture is encoded here")
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        let mut counter = self.counter.borrow_mut();
        counter.decodes.push(latents.dim(0)?);
        if counter.calls.len() == counter.lives && counter.lost == LATE_IN_DECODE {
            bail!("{LATE_IN_DECODE}");
        }
        if latents.dim(0)? > counter.pictures {
            bail!("CublasError(CUBLAS_STATUS_ALLOC_FAILED)");
        }
        let factor = |at| if Some(at) == counter.nan { f32::NAN } else { 1.0 };
        let factors: Vec<f32> = (0..latents.dim(0)?).map(factor).collect();
        latents.tanh()?.broadcast_mul(&Tensor::from_vec(factors, (latents.dim(0)?, 1, 1, 1), &Device::Cpu)?)
    }

    fn replace_vae(&mut self, _: &ModelSource, _: &Device, _: DType) -> std::result::Result<(), ModelError> {
        Ok(())
    }
}

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

pub(super) fn engine(load: LoadFamily, rows: usize, pictures: usize) -> Engine {
    let find = |name: &str| Ok(ModelSource::Folder(fixture(name)));
    let mut engine = Engine::with_families(DeviceName::Cpu, Box::new(find), Some(rows), load).unwrap();
    engine.limits.pictures = Some(pictures);
    engine
}

pub(super) fn fake(counter: &Rc<RefCell<Counter>>) -> Box<dyn Family> {
    let config = std::fs::read(fixture("tiny-a/scheduler/scheduler_config.json")).unwrap();
    let scheduler = SchedulerConfig::read(&serde_json::from_slice(&config).unwrap()).unwrap();
    Box::new(Fake { counter: Rc::clone(counter), scheduler })
}

/// An engine with up to 16 rows and 8 pictures per call, and its simulated device.
pub(super) fn counting(rows: usize, pictures: usize, lives: usize) -> (Engine, Rc<RefCell<Counter>>) {
    let counter =
        Rc::new(RefCell::new(Counter { rows, pictures, lives, lost: LAUNCH_FAILED, ..Counter::default() }));
    let shared = Rc::clone(&counter);
    let load = move |_: &ModelSource, _: &LoadOptions| Ok(fake(&shared));
    let mut engine = engine(Box::new(load), 16, 8);
    engine.driver = Box::new(FakeDriver(Rc::clone(&counter)));
    (engine, counter)
}

/// A picture of 8 x 8 pixels with a seed and a number of steps; guided, so with two rows.
pub(super) fn cell(seed: u64, steps: u32) -> Cell {
    let settings = Settings {
        shift: None,
        model: "tiny-a".into(),
        vae: None,
        lora: Vec::new(),
        lora_weight: None,
        train_steps: None,
        embeddings: Vec::new(),
        prompt: "a hat".into(),
        negative_prompt: "".into(),
        dialect: Dialect::Plain,
        init_image: None,
        mask: None,
        fit: None,
        strength: None,
        controlnet: None,
        control_image: None,
        controlnet_conditioning_scale: None,
        control_guidance_start: None,
        control_guidance_end: None,
        ip_adapter: None,
        ip_adapter_image: None,
        ip_adapter_scale: None,
        ip_adapter_image_encoder: None,
        seed,
        noise: Noise::TorchCpu,
        variation_seed: None,
        variation_strength: None,
        prediction_type: None,
        zero_snr: None,
        guidance_interval: None,
        true_cfg_scale: None,
        guidance_rescale: None,
        deepcache_interval: Some(1),
        deepcache_branch_id: None,
        steps,
        guidance_scale: 2.0,
        scheduler: Scheduler::Ddim,
        eta: Some(0.0),
        sigmas: None,
        spacing: None,
        width: 8,
        height: 8,
        clip_skip: 0,
        dtype: Dtype::F32,
        safety_checker: false,
    };
    named(settings)
}

pub(super) fn named(settings: Settings) -> Cell {
    let id = CellId::of(&settings, &maquette_core::test_plans::card());
    Cell { id, coordinates: Vec::new(), settings, vars: Vec::new() }
}

/// The results of cells.
#[derive(Default)]
pub(super) struct Rendered {
    pub(super) seconds: f64,
    pub(super) images: BTreeMap<CellId, Image>,
    pub(super) errors: BTreeMap<CellId, String>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn render(
    engine: &mut Engine,
    cells: &[Cell],
) -> (Rendered, std::result::Result<(), BackendError>) {
    let mut rendered = Rendered::default();
    let ended = engine.render(&mut cells.iter().cloned(), &mut |event| {
        match event {
            Event::Finished { cell, image, seconds, .. } => {
                rendered.seconds += seconds;
                assert!(rendered.images.insert(cell, image).is_none());
            }
            Event::Failed { cell, error } => assert!(rendered.errors.insert(cell, error).is_none()),
            Event::Warned { warning, .. } => rendered.warnings.push(warning),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    (rendered, ended)
}

/// Cells with different numbers of steps, so that new ones replace those that end.
pub(super) fn cells() -> Vec<Cell> {
    (0..12).map(|seed| cell(seed, 2 + seed as u32 % 3)).collect()
}
