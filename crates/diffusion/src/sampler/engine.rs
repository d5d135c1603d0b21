//! The engine: pulls cells, renders several of them together, and sends events.
//!
//! Starts and finishes cells; the loop in between is in `sample.rs`. Saving, resuming and showing progress are up to
//! the caller.

use crate::device::{DeviceError, DeviceName, Driver, Failure};
use crate::error::ModelError;
use crate::families;
use crate::families::error::RenderError;
use crate::families::family::Predicted;
use crate::sampler::batch::{self, Limits};
use crate::sampler::denoise_state::DenoiseState;
use crate::sampler::expected;
use crate::sampler::loaded_model::{FindModel, LoadFamily, LoadedModel, digest_of_vae};
use crate::sampler::out_of_memory::{self, in_batches, once_more};
use crate::sampler::queue::Queue;
use crate::sampler::step_time::StepTime;
use crate::text::conditioning;
use candle_core::Device;
use maquette_core::{Backend, BackendError, Cell, Digest, Dtype, Event, Image, Settings};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

/// Renders cells on one device, one model at a time.
pub struct Engine {
    name: DeviceName,
    device: Device,
    pub(super) driver: Box<dyn Driver>,
    find: FindModel,
    load: LoadFamily,
    loaded: Option<LoadedModel>,
    /// Announced cells with different prompts.
    expected: Vec<Settings>,
    pub(super) limits: Limits,
    pub(super) step_time: StepTime,
    /// Models that could not be loaded in this call, and why; they are not tried again.
    unloadable: HashMap<(String, Dtype, Option<Digest>), String>,
}

/// Why rendering ends early.
pub(super) enum Ended {
    /// The caller stopped it.
    Stopped,
    /// The device is lost: no further computation is possible.
    DeviceLost(BackendError),
}

/// Where events go.
pub(super) type Events<'a, 'b> = &'a mut EventSink<'b>;

/// The caller's callback.
pub(super) struct EventSink<'a>(&'a mut dyn FnMut(Event) -> ControlFlow<()>);

impl EventSink<'_> {
    pub fn send(&mut self, event: Event) -> Result<(), Ended> {
        match (self.0)(event) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Ended::Stopped),
        }
    }
}

impl Engine {
    /// An engine on a device. `rows` is the maximum number of rows in a UNet call; a guided picture has two.
    pub fn new(name: DeviceName, find: FindModel, rows: Option<usize>) -> Result<Engine, DeviceError> {
        Engine::with_families(name, find, rows, Box::new(families::load))
    }

    /// The same engine, which keeps only those weights in memory that fit, and reads the others from their files for each call. The
    /// pictures are the same. On a CPU it keeps none of the weights of linear layers.
    pub fn offloading(mut self, offload: bool) -> Engine {
        self.limits.offload = offload;
        self
    }

    /// The same with another way to load models.
    pub(super) fn with_families(
        name: DeviceName,
        find: FindModel,
        rows: Option<usize>,
        load: LoadFamily,
    ) -> Result<Engine, DeviceError> {
        let device = name.open()?;
        Ok(Engine {
            name,
            driver: Box::new(device.clone()),
            device,
            find,
            load,
            loaded: None,
            expected: Vec::new(),
            limits: Limits::new(name, rows),
            step_time: StepTime::default(),
            unloadable: HashMap::new(),
        })
    }
}

impl Backend for Engine {
    fn device(&self) -> String {
        self.name.to_string()
    }

    fn expect(&mut self, cells: &mut dyn Iterator<Item = Cell>) {
        self.expected = expected::with_different_prompts(cells);
    }

    /// An error means that the device was lost: cells in progress have no result.
    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        self.unloadable.clear();
        self.limits.reset();
        self.step_time = StepTime::default();
        match self.sample(cells, &mut EventSink(events)) {
            Ok(()) | Err(Ended::Stopped) => Ok(()),
            Err(Ended::DeviceLost(error)) => {
                self.loaded = None;
                Err(error)
            }
        }
    }
}

impl Engine {
    /// Starts cells until one does not fit together with those in progress. A cell that cannot start fails.
    pub(super) fn start_cells(
        &mut self,
        queue: &mut Queue,
        states: &mut Vec<DenoiseState>,
        events: Events,
    ) -> Result<(), Ended> {
        while let Some(cell) = queue.next() {
            if !self.fits(&cell.settings, states) {
                queue.put_back(cell);
                break;
            }
            match self.start(&cell, events)? {
                Ok(state) => {
                    events.send(Event::Started {
                        cell: cell.id,
                        steps: state.steps(),
                        device: self.name.to_string(),
                    })?;
                    states.push(state);
                }
                Err(error) => events.send(Event::Failed { cell: cell.id, error })?,
            }
        }
        Ok(())
    }

    /// Whether a cell may join those in progress: it can share their calls, and there is room for its rows.
    fn fits(&self, settings: &Settings, states: &[DenoiseState]) -> bool {
        let Some(other) = states.first().map(|state| &state.cell.settings) else { return true };
        let Some(loaded) = self.loaded.as_ref().filter(|_| batch::can_share_calls(other, settings)) else {
            return false;
        };
        let rows: usize = states.iter().map(DenoiseState::most_rows).sum();
        rows + conditioning::rows(settings) <= self.limits.rows(settings, &*loaded.family)
    }

    /// Prepares a cell for its first step.
    fn start(&mut self, cell: &Cell, events: Events) -> Result<Result<DenoiseState, String>, Ended> {
        let clock = Instant::now();
        if let Err(error) = self.load(&cell.settings, events)? {
            return Ok(Err(error));
        }
        let Some(loaded) = &mut self.loaded else { return Ok(Err(no_model())) };
        let mut warnings = Vec::new();
        let state = once_more(&*self.driver, || {
            warnings.clear();
            loaded.load_checker(&cell.settings, &self.find, &self.device)?;
            let inputs = loaded.inputs(cell.clone(), &self.device, &mut warnings)?;
            Ok(DenoiseState::start(inputs, &self.device)?)
        });
        for warning in warnings {
            events.send(Event::Warned { cell: cell.id, warning })?;
        }
        match state {
            Ok(mut state) => {
                state.seconds = clock.elapsed().as_secs_f64();
                Ok(Ok(state))
            }
            Err(error) => self.failure(&cell.settings, error).map(Err),
        }
    }

    /// Makes the model of these settings, with their autoencoder, the loaded one.
    fn load(&mut self, settings: &Settings, events: Events) -> Result<Result<(), String>, Ended> {
        let key = (settings.model.to_string(), settings.dtype, digest_of_vae(settings));
        if let Some(error) = self.unloadable.get(&key) {
            return Ok(Err(error.clone()));
        }
        let ready = match self.loaded.as_mut().filter(|loaded| loaded.is(settings)) {
            Some(loaded) => once_more(&*self.driver, || loaded.set_vae(settings, &self.find, &self.device)),
            None => {
                // The old model is dropped first: two may not fit.
                self.loaded = None;
                let clock = Instant::now();
                let model = settings.model.to_string();
                events.send(Event::Loading { model: model.clone() })?;
                let pictures = self.expected.iter().filter(|other| other.model == settings.model);
                let reserve = self.limits.offload.then(|| self.limits.reserve(pictures.chain([settings])));
                let load = || LoadedModel::load(settings, &self.find, &self.load, &self.device, reserve);
                match once_more(&*self.driver, load) {
                    Ok(loaded) => {
                        let left = |free: u64| free.saturating_sub(loaded.family.size_to_load());
                        self.limits.free_memory = self.driver.free_memory().map(left);
                        let loaded = self.loaded.insert(loaded);
                        events.send(Event::Loaded {
                            model,
                            seconds: clock.elapsed().as_secs_f64(),
                            device: self.name.to_string(),
                        })?;
                        loaded.encode_ahead(&self.expected, || events.send(Event::Encoded))?;
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
        };
        let Err(error) = ready else { return Ok(Ok(())) };
        let error = self.failure(settings, error)?;
        self.unloadable.insert(key, error.clone());
        Ok(Err(error))
    }

    /// The denoiser's predictions for the rows of each state, or why there are none.
    pub(super) fn predict(
        &mut self,
        states: &[DenoiseState],
        events: Events,
    ) -> Result<Vec<Result<Predicted, String>>, Ended> {
        let mut predicted: Vec<Result<Predicted, String>> = states.iter().map(|_| Err(no_model())).collect();
        let Some(loaded) = &self.loaded else { return Ok(predicted) };
        for group in batch::groups(states) {
            let cells: Vec<&DenoiseState> = group.iter().map(|&at| &states[at]).collect();
            let Cell { id, settings, .. } = &cells[0].cell;
            let allowed = self.limits.rows(settings, &*loaded.family);
            let mut bound = allowed;
            let call = |cells: &[&DenoiseState]| batch::predict(&*loaded.family, cells);
            let outcomes = in_batches(&cells, |state| state.rows(), &mut bound, &*self.driver, call);
            for (at, outcome) in group.into_iter().zip(outcomes.map_err(|error| self.lost(error))?) {
                let settings = &states[at].cell.settings;
                predicted[at] =
                    outcome.map_err(|failed| out_of_memory::sentence(failed, settings, &self.limits));
            }
            if bound < allowed {
                self.limits.lower_rows(settings, bound);
                let warning = format!(
                    "out of memory at {}x{}: UNet calls of this size have at most {bound} rows from now on",
                    settings.width, settings.height
                );
                events.send(Event::Warned { cell: *id, warning })?;
            }
        }
        Ok(predicted)
    }

    /// Decodes the final latents of cells and sends their pictures.
    pub(super) fn finish_cells(
        &mut self,
        mut done: Vec<DenoiseState>,
        queue: &mut Queue,
        events: Events,
    ) -> Result<(), Ended> {
        while let (Some(first), Some(loaded)) = (done.first(), &self.loaded) {
            let settings = first.cell.settings.clone();
            let allowed = self.limits.pictures(&settings, &*loaded.family);
            let states: Vec<DenoiseState> = done.drain(..allowed.clamp(1, done.len())).collect();
            let clock = Instant::now();
            let mut bound = allowed;
            let decode = |states: &[DenoiseState]| loaded.decode(states.iter().map(DenoiseState::latents));
            let images = in_batches(&states, |_| 1, &mut bound, &*self.driver, decode);
            let images = images.map_err(|error| self.lost(error))?;
            let seconds = clock.elapsed().as_secs_f64() / states.len() as f64;
            if bound < allowed {
                self.limits.lower_pictures(&settings, bound);
                let warning = format!(
                    "out of memory at {}x{}: at most {bound} of {allowed} pictures are decoded together from now on",
                    settings.width, settings.height
                );
                events.send(Event::Warned { cell: states[0].cell.id, warning })?;
            }
            for (mut state, image) in states.into_iter().zip(images) {
                state.seconds += seconds;
                match image {
                    Ok(image) => self.finish(state, image, queue, events)?,
                    Err(failed) => {
                        let error = out_of_memory::sentence(failed, &state.cell.settings, &self.limits);
                        events.send(Event::Failed { cell: state.cell.id, error })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends a cell's picture, or retries the cell if the picture contains NaN or infinity.
    fn finish(
        &mut self,
        DenoiseState { cell, seconds, .. }: DenoiseState,
        image: Option<Image>,
        queue: &mut Queue,
        events: Events,
    ) -> Result<(), Ended> {
        let clock = Instant::now();
        let id = cell.id;
        let Some(image) = image else {
            if cell.settings.dtype == Dtype::F32 {
                let error = self.failure(&cell.settings, RenderError::NotFinite)?;
                return events.send(Event::Failed { cell: id, error });
            }
            let warning = queue.retry.take(cell, seconds);
            return events.send(Event::Warned { cell: id, warning });
        };
        let Some(loaded) = &self.loaded else {
            return events.send(Event::Failed { cell: id, error: no_model() });
        };
        let (image, remarks) = match loaded.checked(image, &cell.settings) {
            Ok(checked) => checked,
            Err(error) => {
                let error = self.failure(&cell.settings, error)?;
                return events.send(Event::Failed { cell: id, error });
            }
        };
        if remarks.nsfw_content_detected == Some(true) {
            let warning =
                "the safety checker blacked out the picture; another prompt or seed may pass".to_owned();
            events.send(Event::Warned { cell: id, warning })?;
        }
        let seconds = seconds + clock.elapsed().as_secs_f64();
        let (seconds, remarks) = queue.retry.add_to(id, seconds, remarks);
        events.send(Event::Finished { cell: id, image, seconds, remarks })
    }

    /// The error message of a cell with these settings, with a hint if memory ran out. A lost device is not an error of
    /// the cell.
    pub(super) fn failure(&self, settings: &Settings, error: RenderError) -> Result<String, Ended> {
        match self.driver.failure(&error) {
            Failure::DeviceLost => Err(self.lost(error)),
            Failure::OutOfMemory => {
                let hint = match error {
                    RenderError::Model(ModelError::Device { .. }) => {
                        out_of_memory::model_hint(settings, &self.limits).into()
                    }
                    _ => out_of_memory::hint(settings, &self.limits),
                };
                Ok(format!("out of memory; {hint} ({})", error.chain()))
            }
            Failure::Other => Ok(error.chain()),
        }
    }

    pub(super) fn lost(&self, error: impl std::error::Error + Send + Sync + 'static) -> Ended {
        let message = format!("the device `{}` stopped working", self.name);
        Ended::DeviceLost(BackendError { message, source: Some(Box::new(error)) })
    }
}

/// The error of a cell without a loaded model, which should not happen.
fn no_model() -> String {
    "the model is not loaded".to_owned()
}
