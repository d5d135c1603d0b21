//! The backend that a command renders with, and pictures that are made to be looked at and not kept.

use crate::args::BackendName;
use crate::exit::{Exit, Failure, OrExit};
use crate::models;
use crate::output::{talk, with_causes};
use maquette_core::{Backend, Cell, CellId, Event, Image, Remarks};
use maquette_diffusion::{DeviceName, Engine};
use maquette_executor::FakeBackend;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// The engine on a device, or the fake. `base` is where the names of model folders begin; `rows` is the most rows of
/// one UNet call.
pub fn backend(
    name: BackendName,
    device: DeviceName,
    base: PathBuf,
    rows: Option<usize>,
) -> Result<Box<dyn Backend>, Failure> {
    match name {
        BackendName::Engine => {
            let find = move |name: &str| Ok(models::find(name, &base)?);
            Ok(Box::new(Engine::new(device, Box::new(find), rows).or_exit(Exit::Experiment)?))
        }
        BackendName::Fake => Ok(Box::new(FakeBackend {
            fail_on: std::env::var("MAQUETTE_FAKE_FAIL_ON").ok(),
            ..FakeBackend::new()
        })),
    }
}

/// Renders cells into memory; nothing is written. `ended` gets each picture, or why there is none, as it lands.
pub fn render(
    backend: &mut dyn Backend,
    cells: Vec<Cell>,
    quiet: bool,
    ended: &mut dyn FnMut(CellId, Result<(Image, Remarks), String>),
) -> Result<(), Failure> {
    let mut events = |event| {
        match event {
            Event::Finished { cell, image, remarks, .. } => ended(cell, Ok((image, remarks))),
            Event::Failed { cell, error } => ended(cell, Err(error)),
            Event::Warned { warning, .. } if !quiet => talk(format_args!("note: {warning}")),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let rendered = backend.render(&mut cells.into_iter(), &mut events);
    rendered.map_err(|error| Failure::message(Exit::Unexpected, with_causes(&error), ""))
}
