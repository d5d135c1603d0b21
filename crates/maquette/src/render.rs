//! The backend of a workspace, and rendering into memory.

use crate::Workspace;
use crate::assets::find_planned;
use crate::error::Error;
use crate::workspace::Renderer;
use maquette_core::{Backend, Cell, CellId, Digest, Event, Image, Plan, Remarks};
use maquette_diffusion::{DeviceError, DeviceName, Engine};
use maquette_executor::{Devices, ExecuteError, FakeBackend, MakeBackend};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

impl Workspace {
    /// The engine on the workspace's first device, or the fake. The names of models are relative to the folder `base`; models of
    /// `plan` are loaded only if their files are still those of the plan.
    pub(crate) fn backend(&self, base: &Path, plan: Option<&Plan>) -> Result<Box<dyn Backend>, Error> {
        self.make_backend(self.device(), base, None, plan)().map_err(Error::from)
    }

    /// The same on all devices of the workspace; `rows` is the maximum of rows per UNet call.
    pub(crate) fn backend_of_run(
        &self,
        base: &Path,
        rows: Option<usize>,
        plan: &Plan,
    ) -> Result<Box<dyn Backend>, Error> {
        let devices = self.devices().into_iter();
        let mut makers: Vec<_> =
            devices.map(|device| self.make_backend(device, base, rows, Some(plan))).collect();
        match makers.len() {
            1 => makers.remove(0)().map_err(Error::from),
            _ => Ok(Box::new(Devices::new(makers)?)),
        }
    }

    fn make_backend(
        &self,
        device: DeviceName,
        base: &Path,
        rows: Option<usize>,
        plan: Option<&Plan>,
    ) -> MakeBackend<DeviceError> {
        match self.renderer {
            Renderer::Engine => {
                let (base, hub, runs) = (base.to_owned(), self.environment.hub.clone(), self.runs.clone());
                let planned: HashMap<String, Digest> = plan
                    .map(|plan| {
                        plan.models.iter().map(|(name, card)| (name.clone(), card.fingerprint)).collect()
                    })
                    .unwrap_or_default();
                let find =
                    move |name: &str| Ok(find_planned(name, &base, &hub, &runs, planned.get(name).copied())?);
                let offload = self.offload;
                Box::new(move || {
                    let engine = Engine::new(device, Box::new(find), rows)?;
                    Ok(Box::new(engine.offloading(offload)))
                })
            }
            Renderer::Fake => {
                let fake = FakeBackend {
                    fail_on: self.environment.fake_fail_on.clone(),
                    panic_on: self.environment.fake_panic_on.clone(),
                    pause: Duration::from_millis(self.environment.fake_pause.unwrap_or(0)),
                    ..FakeBackend::new()
                };
                Box::new(move || Ok(Box::new(fake)))
            }
        }
    }
}

/// Renders cells into memory. When a cell ends, `ended` gets its image, or why there is none; `note` gets warnings.
pub(crate) fn render(
    backend: &mut dyn Backend,
    cells: Vec<Cell>,
    note: &mut dyn FnMut(&str),
    ended: &mut dyn FnMut(CellId, Result<(Image, Remarks), String>),
) -> Result<(), Error> {
    let mut events = |event| {
        match event {
            Event::Finished { cell, image, remarks, .. } => ended(cell, Ok((image, remarks))),
            Event::Failed { cell, error } => ended(cell, Err(error)),
            Event::Warned { warning, .. } => note(&warning),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    backend.render(&mut cells.into_iter(), &mut events).map_err(|error| ExecuteError::from(error).into())
}
