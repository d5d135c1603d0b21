//! The backend of a workspace, and rendering into memory.

use crate::Workspace;
use crate::assets::find_planned;
use crate::error::Error;
use crate::workspace::Renderer;
use maquette_core::{Backend, Cell, CellId, Digest, Event, Image, Plan, Remarks};
use maquette_diffusion::Engine;
use maquette_executor::{ExecuteError, FakeBackend};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

impl Workspace {
    /// The engine on the workspace's device, or the fake. The names of models are relative to the folder `base`; `rows` is
    /// the maximum of rows per UNet call. Models of `plan` are loaded only if their files are still those of the plan.
    pub(crate) fn backend(
        &self,
        base: &Path,
        rows: Option<usize>,
        plan: Option<&Plan>,
    ) -> Result<Box<dyn Backend>, Error> {
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
                Ok(Box::new(Engine::new(self.device(), Box::new(find), rows)?))
            }
            Renderer::Fake => Ok(Box::new(FakeBackend {
                fail_on: self.environment.fake_fail_on.clone(),
                panic_on: self.environment.fake_panic_on.clone(),
                pause: Duration::from_millis(self.environment.fake_pause.unwrap_or(0)),
                ..FakeBackend::new()
            })),
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
