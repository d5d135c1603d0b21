//! The engine: pulls cells, keeps several of them in flight, and gives each UNet call a row or two of every one.
//!
//! Rows of one call may have different prompts, timesteps, schedulers, strengths and guidance; when a cell lands, the
//! next one takes its place. Only model, LoRAs, precision and size must match. Saving, resuming and showing progress are
//! the caller's.

use crate::device::{DeviceName, candle_dtype};
use crate::families::stable_diffusion::Model;
use crate::sampler::denoise_state::Flight;
use crate::sampler::error::RenderError;
use crate::sampler::loaded_model::{FindModel, Loaded, digest_of_vae};
use crate::sampler::retry_f32::{Again, Landed};
use crate::text::conditioning;
use crate::weights::lora;
use candle_core::{DType, Device, Tensor};
use maquette_core::{Backend, BackendError, Cell, Digest, Dtype, Event, Remarks, Settings};
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::time::Instant;

/// Latent pixels of one UNet call, unless somebody says how many rows: two guided pictures of 512 pixels.
const LATENTS_AT_ONCE: usize = 4 * 64 * 64;

/// Renders cells on one device, one model at a time.
pub struct Engine {
    name: DeviceName,
    device: Device,
    find: FindModel,
    /// Rows of one UNet call; `None` chooses by size.
    rows: Option<usize>,
    loaded: Option<Loaded>,
    /// Models that could not be loaded in this call, and why: nobody waits for the same failure twice.
    unloadable: HashMap<(String, Dtype, Option<Digest>), String>,
}

impl Engine {
    /// An engine on a device. `rows` is the most rows that a UNet call may have; two for each guided picture.
    pub fn new(
        name: DeviceName,
        find: FindModel,
        rows: Option<usize>,
    ) -> Result<Engine, crate::device::DeviceError> {
        Ok(Engine { name, device: name.open()?, find, rows, loaded: None, unloadable: HashMap::new() })
    }

    /// How many rows of that many latent pixels one UNet call may have.
    ///
    /// More rows keep a device busier but hold more memory, most of it attention's, which grows with the square of
    /// the size; a 512-pixel picture of Stable Diffusion has 64 x 64 latent pixels.
    fn max_rows(&self, latents: usize) -> usize {
        self.rows.unwrap_or_else(|| (LATENTS_AT_ONCE / latents).clamp(2, 16))
    }
}

type Events<'a> = &'a mut dyn FnMut(Event) -> ControlFlow<()>;

/// The caller wants no more events.
struct Stopped;

impl Backend for Engine {
    fn device(&self) -> String {
        self.name.to_string()
    }

    fn render(&mut self, cells: &mut dyn Iterator<Item = Cell>, events: Events) -> Result<(), BackendError> {
        self.unloadable.clear();
        // Whatever goes wrong is some cell's: the engine as a whole cannot break.
        match self.render_all(cells, events) {
            ControlFlow::Continue(()) | ControlFlow::Break(Stopped) => Ok(()),
        }
    }
}

impl Engine {
    fn render_all(&mut self, cells: &mut dyn Iterator<Item = Cell>, events: Events) -> ControlFlow<Stopped> {
        let mut flights: Vec<Flight> = Vec::new();
        // A cell that was pulled but cannot fly with the others: it waits until they have landed.
        let mut waiting: Option<Cell> = None;
        let mut again = Again::default();
        loop {
            while let Some(cell) = waiting.take().or_else(|| cells.next()).or_else(|| again.cells.pop_front())
            {
                if !self.fits(&cell.settings, &flights) {
                    waiting = Some(cell);
                    break;
                }
                flights.extend(self.depart(cell, events)?);
            }
            if flights.is_empty() {
                return ControlFlow::Continue(());
            }
            self.step(&mut flights, events)?;
            for flight in flights.extract_if(.., |flight| flight.landed()) {
                match self.land(&flight) {
                    Err(RenderError::NotFinite) if flight.cell.settings.dtype != Dtype::F32 => {
                        let (cell, warning) = (flight.cell.id, again.take(flight));
                        send(events, Event::Warned { cell, warning })?;
                    }
                    landed => {
                        let event = again.event(&flight, landed);
                        if let Some(warning) = blackened(&event) {
                            send(events, Event::Warned { cell: flight.cell.id, warning })?;
                        }
                        send(events, event)?;
                    }
                }
            }
        }
    }

    /// Whether a cell may join the flights: same model, LoRAs, precision and size, and room for its rows.
    fn fits(&self, settings: &Settings, flights: &[Flight]) -> bool {
        let Some(other) = flights.first().map(|flight| &flight.cell.settings) else { return true };
        let alike = other.model == settings.model
            && other.dtype == settings.dtype
            && lora::key(&other.lora) == lora::key(&settings.lora)
            && digest_of_vae(other) == digest_of_vae(settings)
            && (other.width, other.height) == (settings.width, settings.height);
        let Some(loaded) = self.loaded.as_ref().filter(|_| alike) else { return false };
        let rows: usize = flights.iter().map(Flight::rows).sum();
        let factor = loaded.model.vae.factor();
        let latents = (settings.width as usize / factor) * (settings.height as usize / factor);
        rows + conditioning::rows(settings) <= self.max_rows(latents.max(1))
    }

    /// Everything up to a cell's first step. A cell that cannot depart has failed; the others go on.
    fn depart(&mut self, cell: Cell, events: Events) -> ControlFlow<Stopped, Option<Flight>> {
        let clock = Instant::now();
        let id = cell.id;
        let loaded = self.load(&cell.settings, events)?;
        if let Err(error) = loaded {
            send(events, Event::Failed { cell: id, error })?;
            return ControlFlow::Continue(None);
        }
        let Some(loaded) = &mut self.loaded else { return ControlFlow::Continue(None) };
        let mut cut = Vec::new();
        let flight = loaded
            .load_checker(&cell.settings, &self.find, &self.device)
            .and_then(|()| loaded.departure(cell, &self.device, &mut cut))
            .and_then(|departure| Flight::new(departure, &self.device).map_err(RenderError::Tensor));
        for warning in cut {
            send(events, Event::Warned { cell: id, warning })?;
        }
        match flight {
            Ok(mut flight) => {
                flight.seconds = clock.elapsed().as_secs_f64();
                send(events, Event::Started { cell: id, steps: flight.steps() })?;
                ControlFlow::Continue(Some(flight))
            }
            Err(error) => {
                send(events, Event::Failed { cell: id, error: error.chain() })?;
                ControlFlow::Continue(None)
            }
        }
    }

    /// Makes the model of these settings, with their autoencoder, the loaded one.
    fn load(&mut self, settings: &Settings, events: Events) -> ControlFlow<Stopped, Result<(), String>> {
        let key = (settings.model.to_string(), settings.dtype, digest_of_vae(settings));
        if let Some(error) = self.unloadable.get(&key) {
            return ControlFlow::Continue(Err(error.clone()));
        }
        let ready = match self.loaded.as_mut().filter(|loaded| loaded.is(settings)) {
            Some(loaded) => loaded.set_vae(settings, &self.find, &self.device),
            None => {
                // The old model goes first: two may not fit.
                self.loaded = None;
                let clock = Instant::now();
                let model = settings.model.to_string();
                send(events, Event::Loading { model: model.clone() })?;
                match Loaded::load(settings, &self.find, &self.device) {
                    Ok(loaded) => {
                        self.loaded = Some(loaded);
                        send(events, Event::Loaded { model, seconds: clock.elapsed().as_secs_f64() })?;
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
        };
        ControlFlow::Continue(ready.map_err(|error| {
            let error = error.chain();
            self.unloadable.insert(key, error.clone());
            error
        }))
    }

    /// One UNet call for all flights.
    fn step(&mut self, flights: &mut Vec<Flight>, events: Events) -> ControlFlow<Stopped> {
        let Some(loaded) = &self.loaded else { return ControlFlow::Continue(()) };
        let clock = Instant::now();
        let predicted = predict(&loaded.model, flights, candle_dtype(loaded.dtype), &self.device);
        let advanced = predicted.and_then(|predicted| {
            flights.iter_mut().zip(predicted).try_for_each(|(flight, predicted)| flight.advance(&predicted))
        });
        if let Err(error) = advanced {
            // Nobody can say whose row it was, so all of them fail; each can be tried again.
            let error = RenderError::Tensor(error).chain();
            for flight in flights.drain(..) {
                send(events, Event::Failed { cell: flight.cell.id, error: error.clone() })?;
            }
            return ControlFlow::Continue(());
        }
        let seconds = clock.elapsed().as_secs_f64();
        let rows: usize = flights.iter().map(Flight::rows).sum();
        for flight in flights {
            flight.seconds += seconds * flight.rows() as f64 / rows as f64;
            let (cell, step, steps) = (flight.cell.id, flight.done(), flight.steps());
            send(events, Event::Stepped { cell, step, steps })?;
        }
        ControlFlow::Continue(())
    }

    /// From a flight's last latents to its picture.
    fn land(&self, flight: &Flight) -> Result<Landed, RenderError> {
        let clock = Instant::now();
        let gone = || candle_core::Error::Msg("the model is gone".to_owned());
        let loaded = self.loaded.as_ref().ok_or_else(gone)?;
        let image = loaded.decode(flight.latents())?;
        let (image, remarks) = loaded.checked(image, &flight.cell.settings)?;
        Ok(Landed { image, remarks, seconds: clock.elapsed().as_secs_f64() })
    }
}

/// What to say of a picture that the safety checker made black.
fn blackened(event: &Event) -> Option<String> {
    let Event::Finished { remarks: Remarks { nsfw_content_detected: Some(true), .. }, .. } = event else {
        return None;
    };
    Some("the safety checker made the picture black; another prompt or seed may pass".to_owned())
}

/// The noise in each flight's latents, `[rows, channels, height, width]`, as its rows are.
fn predict(
    model: &Model,
    flights: &[Flight],
    dtype: DType,
    device: &Device,
) -> candle_core::Result<Vec<Tensor>> {
    let mut predicted = vec![None; flights.len()];
    // One call's embeddings have one length; prompts of several chunks go together.
    let lengths = flights.iter().map(|flight| flight.conditioning.tokens());
    for length in lengths.collect::<candle_core::Result<BTreeSet<usize>>>()? {
        let (mut latents, mut timesteps, mut text, mut owners) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut pooled, mut sizes) = (Vec::new(), Vec::new());
        for (at, flight) in flights.iter().enumerate() {
            if flight.conditioning.tokens()? != length {
                continue;
            }
            owners.push((at, latents.len()));
            let (input, timestep) = flight.input()?;
            let (height, width) = (flight.cell.settings.height as f32, flight.cell.settings.width as f32);
            for embedding in flight.embeddings() {
                latents.push(input.clone());
                timesteps.push(timestep);
                text.push(&embedding.sequence);
                pooled.extend(embedding.pooled.as_ref());
                // Nothing is taken for cut, and the reference picture for as large as the target, as diffusers does.
                sizes.push([height, width, 0.0, 0.0, height, width]);
            }
        }
        let latents = Tensor::cat(&latents, 0)?.to_dtype(dtype)?.to_device(device)?;
        let pooled = if pooled.is_empty() { None } else { Some(Tensor::cat(&pooled, 0)?) };
        let added = pooled.as_ref().map(|pooled| (pooled, sizes.as_slice()));
        let rows = model.unet.forward_with(&latents, &timesteps, &Tensor::cat(&text, 0)?, added)?;
        for (at, row) in owners {
            predicted[at] = Some(rows.narrow(0, row, flights[at].rows())?);
        }
    }
    Ok(predicted.into_iter().flatten().collect())
}

fn send(events: Events, event: Event) -> ControlFlow<Stopped> {
    events(event).map_break(|()| Stopped)
}
