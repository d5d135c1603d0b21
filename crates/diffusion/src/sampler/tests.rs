//! Tests of running out of memory, of lost devices and of the cells' times, with a family whose device is simulated by
//! counting.

use crate::device::{DeviceName, Driver};
use crate::error::ModelError;
use crate::families;
use crate::families::error::RenderError;
use crate::families::family::{Family, Rows};
use crate::image::posterior::Posterior;
use crate::sampler::engine::Engine;
use crate::sampler::loaded_model::LoadFamily;
use crate::schedulers::{Sampling, ScheduleError, SchedulerConfig, Trajectory, trajectory};
use crate::text::conditioning::{Conditioning, Timeline};
use crate::text::encoded_prompt::EncodedPrompt;
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
struct Counter {
    /// The most rows that fit in a call.
    rows: usize,
    /// The most pictures that can be decoded together.
    pictures: usize,
    /// How many calls the device survives.
    lives: usize,
    /// What a call says once the device is lost.
    lost: &'static str,
    /// How many rows more fit after each release of memory, the last one first.
    kept: Vec<usize>,
    calls: Vec<usize>,
    decodes: Vec<usize>,
    /// The time that was spent waiting for the device.
    waited: Duration,
    waits: usize,
}

impl Counter {
    fn is_lost(&self) -> bool {
        self.calls.len() > self.lives
    }
}

/// The simulated device's driver, whose work takes time that only waiting shows.
struct FakeDriver(Rc<RefCell<Counter>>);

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

const LAUNCH_FAILED: &str = "DriverError(CUDA_ERROR_LAUNCH_FAILED, \"unspecified launch failure\")";
const LATE: &str = "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
const LATE_IN_DECODE: &str = "DriverError(CUDA_ERROR_MISALIGNED_ADDRESS, \"misaligned address\")";

/// A family whose pictures depend only on their latents.
struct Fake {
    counter: Rc<RefCell<Counter>>,
    scheduler: SchedulerConfig,
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

    fn predict(&self, rows: &Rows) -> Result<Tensor> {
        let mut counter = self.counter.borrow_mut();
        counter.calls.push(rows.timesteps.len());
        if counter.is_lost() {
            bail!("{}", counter.lost);
        }
        if rows.timesteps.len() > counter.rows {
            bail!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
        }
        &rows.latents * 0.25
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
        latents.tanh()
    }

    fn replace_vae(&mut self, _: &ModelSource, _: &Device, _: DType) -> std::result::Result<(), ModelError> {
        Ok(())
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn engine(load: LoadFamily, rows: usize, pictures: usize) -> Engine {
    let find = |name: &str| Ok(ModelSource::Folder(fixture(name)));
    let mut engine = Engine::with_families(DeviceName::Cpu, Box::new(find), Some(rows), load).unwrap();
    engine.limits.pictures = Some(pictures);
    engine
}

fn fake(counter: &Rc<RefCell<Counter>>) -> Box<dyn Family> {
    let config = std::fs::read(fixture("tiny-a/scheduler/scheduler_config.json")).unwrap();
    let scheduler = SchedulerConfig::read(&serde_json::from_slice(&config).unwrap()).unwrap();
    Box::new(Fake { counter: Rc::clone(counter), scheduler })
}

/// An engine with up to 16 rows and 8 pictures per call, and its simulated device.
fn counting(rows: usize, pictures: usize, lives: usize) -> (Engine, Rc<RefCell<Counter>>) {
    let counter =
        Rc::new(RefCell::new(Counter { rows, pictures, lives, lost: LAUNCH_FAILED, ..Counter::default() }));
    let shared = Rc::clone(&counter);
    let load = move |_: &ModelSource, _: &Device, _: DType| Ok(fake(&shared));
    let mut engine = engine(Box::new(load), 16, 8);
    engine.driver = Box::new(FakeDriver(Rc::clone(&counter)));
    (engine, counter)
}

/// A picture of 8 x 8 pixels with a seed and a number of steps; guided, so with two rows.
fn cell(seed: u64, steps: u32) -> Cell {
    let settings = Settings {
        model: "tiny-a".into(),
        vae: None,
        lora: Vec::new(),
        embeddings: Vec::new(),
        prompt: "a hat".into(),
        negative_prompt: "".into(),
        dialect: Dialect::Plain,
        init_image: None,
        mask: None,
        fit: None,
        strength: None,
        seed,
        noise: Noise::TorchCpu,
        variation_seed: None,
        variation_strength: None,
        prediction_type: None,
        zero_snr: None,
        guidance_rescale: None,
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

fn named(settings: Settings) -> Cell {
    let id = CellId::of(&settings, &maquette_core::test_plans::card());
    Cell { id, coordinates: Vec::new(), settings, vars: Vec::new() }
}

/// The results of cells.
#[derive(Default)]
struct Rendered {
    seconds: f64,
    images: BTreeMap<CellId, Image>,
    errors: BTreeMap<CellId, String>,
    warnings: Vec<String>,
}

fn render(engine: &mut Engine, cells: &[Cell]) -> (Rendered, std::result::Result<(), BackendError>) {
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
fn cells() -> Vec<Cell> {
    (0..12).map(|seed| cell(seed, 2 + seed as u32 % 3)).collect()
}

#[test]
fn a_call_that_does_not_fit_is_halved_from_then_on() {
    let cells = cells();
    let (mut roomy, counter) = counting(16, 8, usize::MAX);
    let (expected, _) = render(&mut roomy, &cells);
    assert_eq!((expected.images.len(), expected.warnings.len()), (12, 0));
    assert_eq!(counter.borrow().calls[0], 16);

    let (mut narrow, counter) = counting(5, 8, usize::MAX);
    for _ in 0..2 {
        // Limits of one run are reset in the next.
        counter.borrow_mut().calls.clear();
        let (rendered, ended) = render(&mut narrow, &cells);
        assert!(ended.is_ok() && rendered.errors.is_empty());
        assert_eq!(rendered.images, expected.images, "a call that failed has changed a cell");
        let calls = &counter.borrow().calls;
        assert_eq!(calls[..3], [16, 8, 4]);
        assert!(calls[3..].iter().all(|&rows| rows <= 4), "{calls:?}");
        let warning = "out of memory at 8x8: UNet calls of this size have at most 4 rows from now on";
        assert_eq!(rendered.warnings, [warning]);
    }
}

#[test]
fn a_call_is_repeated_once_after_memory_was_released() {
    let cells = cells();
    let (expected, _) = render(&mut counting(16, 8, usize::MAX).0, &cells);
    for (rows, kept, calls) in [
        // The release suffices: the call is repeated, and nothing is halved.
        (12, vec![4], vec![16, 16, 16]),
        // It does not: the call is halved after the repetition.
        (5, vec![3], vec![16, 16, 8]),
        (3, vec![0, 1, 0], vec![16, 16, 8, 8, 4, 4]),
    ] {
        let (mut engine, counter) = counting(rows, 8, usize::MAX);
        counter.borrow_mut().kept = kept;
        let (rendered, ended) = render(&mut engine, &cells);
        assert!(ended.is_ok());
        assert_eq!(rendered.images, expected.images);
        assert_eq!(rendered.warnings.is_empty(), rows == 12, "{:?}", rendered.warnings);
        assert_eq!(counter.borrow().calls[..calls.len()], calls);
    }
}

/// A loader that runs out of memory the first few times.
fn full(times: usize) -> Engine {
    let (_, counter) = counting(16, 8, usize::MAX);
    let (shared, loads) = (Rc::clone(&counter), std::cell::Cell::new(0));
    counter.borrow_mut().kept = vec![0];
    let load = move |_: &ModelSource, _: &Device, _: DType| {
        loads.set(loads.get() + 1);
        if loads.get() <= times {
            let text = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".to_owned();
            return Err(ModelError::Device {
                model: "tiny-a".to_owned(),
                source: candle_core::Error::Msg(text),
            });
        }
        Ok(fake(&shared))
    };
    let mut engine = engine(Box::new(load), 16, 8);
    engine.driver = Box::new(FakeDriver(counter));
    engine
}

#[test]
fn a_model_that_does_not_fit_fails_with_a_hint() {
    let cells = [cell(0, 2), cell(1, 2)];
    let (rendered, ended) = render(&mut full(1), &cells);
    assert!(ended.is_ok() && rendered.errors.is_empty() && rendered.images.len() == 2);
    let (rendered, ended) = render(&mut full(2), &cells);
    assert!(ended.is_ok());
    assert_eq!(rendered.errors.len(), 2);
    for error in rendered.errors.values() {
        let start =
            "out of memory; try `dtype = \"f16\"` or `--device cpu` (tiny-a does not fit on the device: ";
        assert!(error.starts_with(start) && error.contains("CUDA_ERROR_OUT_OF_MEMORY"), "{error}");
    }
}

/// The sum of the cells' seconds includes the waits for the device, of which there are fewer than steps.
#[test]
fn the_time_of_steps_is_that_of_the_device() {
    let cells: Vec<Cell> = (0..12).map(|seed| cell(seed, 6)).collect();
    let (mut engine, counter) = counting(8, 8, usize::MAX);
    let clock = Instant::now();
    let (rendered, _) = render(&mut engine, &cells);
    let wall = clock.elapsed().as_secs_f64();
    let counter = counter.borrow();
    assert!(counter.waits > 0 && counter.waits < counter.calls.len() / 2, "{} waits", counter.waits);
    let waited = counter.waited.as_secs_f64();
    assert!((waited..=wall).contains(&rendered.seconds), "{waited} to {wall}: {}", rendered.seconds);
}

#[test]
fn a_cell_that_does_not_fit_alone_fails_alone() {
    let (mut engine, _) = counting(1, 8, usize::MAX);
    let free = named(Settings { guidance_scale: 1.0, ..cell(7, 3).settings });
    let cells = [cell(0, 3), free.clone(), cell(1, 3), cell(2, 3)];
    let (rendered, ended) = render(&mut engine, &cells);
    assert!(ended.is_ok());
    assert_eq!(rendered.images.keys().collect::<Vec<_>>(), [&free.id]);
    assert_eq!(rendered.errors.len(), 3);
    for error in rendered.errors.values() {
        let expected =
            "out of memory with this cell alone at 8x8; try a smaller size, `dtype = \"f16\"` or `--rows 2`";
        assert_eq!(error, expected);
    }
}

#[test]
fn decoding_is_halved_too() {
    let cells: Vec<Cell> = (0..8).map(|seed| cell(seed, 2)).collect();
    let (expected, _) = render(&mut counting(16, 8, usize::MAX).0, &cells);
    let (mut narrow, counter) = counting(16, 3, usize::MAX);
    let (rendered, _) = render(&mut narrow, &cells);
    assert_eq!(rendered.images, expected.images);
    assert_eq!(counter.borrow().decodes, [8, 4, 2, 2, 2, 2]);
    assert_eq!(rendered.warnings.len(), 1);
    assert!(rendered.warnings[0].contains("at most 2 of 8 pictures"), "{:?}", rendered.warnings);

    let (mut none, _) = counting(16, 0, usize::MAX);
    let (rendered, ended) = render(&mut none, &cells);
    assert!(ended.is_ok() && rendered.images.is_empty());
    assert!(rendered.errors.values().all(|error| error.starts_with("out of memory with this cell alone")));
    assert_eq!(rendered.errors.len(), 8);
}

/// Wherever the error arrives, and also if its text is unknown and the device only fails a probe.
#[test]
fn a_lost_device_ends_the_run_and_fails_no_cell() {
    let cells = cells();
    for lost in [LAUNCH_FAILED, LATE, LATE_IN_DECODE, "an unknown error"] {
        let (mut engine, counter) = counting(16, 8, 3);
        counter.borrow_mut().lost = lost;
        let (rendered, ended) = render(&mut engine, &cells);
        let error = ended.unwrap_err();
        assert_eq!(error.message, "the device `cpu` stopped working");
        let (mut cause, mut text) =
            (error.source.as_deref().map(|error| error as &dyn std::error::Error), String::new());
        while let Some(error) = cause {
            text += &error.to_string();
            cause = error.source();
        }
        assert!(text.contains(lost), "{text}");
        assert!(rendered.errors.is_empty(), "{lost}: {:?}", rendered.errors);
        assert!(rendered.images.len() < cells.len(), "{lost}: {}", rendered.images.len());
        assert!(counter.borrow().calls.len() <= 4, "nothing is tried on a lost device");
    }
}

#[test]
fn an_unknown_error_of_a_working_device_fails_the_cell() {
    let load = |_: &ModelSource, _: &Device, _: DType| {
        let source = candle_core::Error::Msg("no kernel image".to_owned());
        Err(ModelError::Device { model: "tiny-a".to_owned(), source })
    };
    let mut engine = engine(Box::new(load), 16, 8);
    engine.driver = counting(16, 8, usize::MAX).0.driver;
    let (rendered, ended) = render(&mut engine, &[cell(0, 2)]);
    assert!(ended.is_ok());
    let error = rendered.errors.values().next().unwrap();
    assert_eq!(error, "tiny-a does not fit on the device: no kernel image");
}

/// On the CPU a picture does not depend, to the bit, on the others decoded with it.
#[test]
fn pictures_are_decoded_together_as_alone() {
    for model in ["tiny-a", "tiny-sdxl"] {
        let cells: Vec<Cell> = (0..5)
            .map(|seed| {
                named(Settings { model: model.into(), width: 16, height: 16, ..cell(seed, 1).settings })
            })
            .collect();
        let pictures = |count| render(&mut engine(Box::new(families::load), 16, count), &cells).0;
        let (alone, together) = (pictures(1), pictures(5));
        assert_eq!(alone.images.len(), 5, "{:?}", alone.errors);
        assert_eq!(together.images, alone.images);
    }
}
