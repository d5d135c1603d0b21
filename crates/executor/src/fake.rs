//! A fake backend, for tests of everything around the engine.
//!
//! It draws stripes from a cell's name. Its device is `fake` and its models have their own fingerprints, so that its
//! pictures are never mistaken for rendered ones.

use maquette_core::{
    Backend, BackendError, Cell, CellId, Digest, Event, Image, ModelCard, Remarks, Scheduler,
};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

/// A fake backend.
#[derive(Debug, Clone)]
pub struct FakeBackend {
    /// Cells whose prompt contains this text fail.
    pub fail_on: Option<String>,
    /// The backend panics in the last step of cells whose prompt contains this text.
    pub panic_on: Option<String>,
    /// The most cells in flight at once.
    pub rows: usize,
    /// How long each step takes; for trying out how a run is stopped.
    pub pause: Duration,
    /// The number of cells pulled so far.
    pub pulled: usize,
}

impl Default for FakeBackend {
    fn default() -> FakeBackend {
        FakeBackend::new()
    }
}

impl FakeBackend {
    /// Three rows, no failures, no panics, no pauses.
    pub fn new() -> FakeBackend {
        FakeBackend { fail_on: None, panic_on: None, rows: 3, pause: Duration::ZERO, pulled: 0 }
    }

    /// The card of a fake model. A plan for this backend must use it: its fingerprint keeps fake pictures apart from
    /// rendered ones.
    pub fn card(model: &str) -> ModelCard {
        let fingerprint = Digest::of(format!("fake: {model}").as_bytes());
        ModelCard {
            fingerprint,
            size: (64, 64),
            multiple_of: 8,
            reading: 1,
            scheduler: Some(Scheduler::Ddim),
            scheduler_class: None,
            spacing: None,
            sigmas: None,
            prediction_type: None,
            zero_snr: None,
            inpainting: false,
            guidance_embedding: false,
            safety_checker: false,
            safety_checker_weights: None,
            family: maquette_core::ModelFamily::StableDiffusion,
            shift: None,
            steps: None,
            guidance_scale: None,
        }
    }
}

impl Backend for FakeBackend {
    fn device(&self) -> String {
        "fake".to_owned()
    }

    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        // Rows take turns, a step each, as in the engine: cells end in a different order than they start.
        let mut rows: VecDeque<(Cell, usize)> = VecDeque::new();
        let mut model = None;
        loop {
            while rows.len() < self.rows.max(1) {
                let Some(cell) = cells.next() else { break };
                self.pulled += 1;
                if model.as_ref() != Some(&cell.settings.model) {
                    let name = cell.settings.model.to_string();
                    model = Some(cell.settings.model.clone());
                    let loaded = Event::Loaded { model: name.clone(), seconds: 0.0, device: self.device() };
                    if events(Event::Loading { model: name }).is_break() || events(loaded).is_break() {
                        return Ok(());
                    }
                }
                let event = match self.failure(&cell) {
                    Some(error) => Event::Failed { cell: cell.id, error },
                    None => {
                        let event =
                            Event::Started { cell: cell.id, steps: steps(&cell), device: self.device() };
                        rows.push_back((cell, 0));
                        event
                    }
                };
                if events(event).is_break() {
                    return Ok(());
                }
            }
            let Some((cell, done)) = rows.pop_front() else { return Ok(()) };
            std::thread::sleep(self.pause);
            let (step, steps) = (done + 1, steps(&cell));
            let mut flow = events(Event::Stepped { cell: cell.id, step, steps });
            if flow.is_continue() && step >= steps {
                if let Some(text) =
                    self.panic_on.as_deref().filter(|text| cell.settings.prompt.contains(text))
                {
                    panic!("the fake engine panics on `{text}`");
                }
                flow = events(match stripes(&cell.id, cell.settings.width, cell.settings.height) {
                    Some(image) => {
                        Event::Finished { cell: cell.id, image, seconds: 0.0, remarks: Remarks::default() }
                    }
                    None => Event::Failed { cell: cell.id, error: "the picture is too large".to_owned() },
                });
            } else {
                rows.push_back((cell, step));
            }
            if flow.is_break() {
                return Ok(());
            }
        }
    }
}

impl FakeBackend {
    fn failure(&self, cell: &Cell) -> Option<String> {
        let text = self.fail_on.as_deref()?;
        cell.settings.prompt.contains(text).then(|| format!("the fake engine fails on `{text}`"))
    }
}

fn steps(cell: &Cell) -> usize {
    let strength = cell.settings.strength.unwrap_or(1.0);
    ((f64::from(cell.settings.steps) * strength) as usize).max(1)
}

/// Diagonal stripes in colours from the cell's name.
fn stripes(id: &CellId, width: u32, height: u32) -> Option<Image> {
    let name = id.0.as_bytes();
    let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
    for y in 0..height {
        for x in 0..width {
            let stripe = ((x + y) / 8) as usize % 8;
            rgb.extend_from_slice(&name[3 * stripe..3 * stripe + 3]);
        }
    }
    Image::new(width, height, rgb)
}
