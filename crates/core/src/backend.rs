//! What renders cells: the one thing the executor knows of the engine.

use crate::{Cell, Event};
use std::ops::ControlFlow;

/// Renders cells. The engine is one; the tests have a fake that says it is fake.
pub trait Backend {
    /// What it runs on, such as `cpu` or `cuda:0`; a column of the log.
    fn device(&self) -> String;

    /// Pulls cells and pushes events until there are no more cells and none is in flight.
    ///
    /// Every cell pulled ends in exactly one [`Event::Finished`] or [`Event::Failed`], in any order; a failed cell
    /// does not end the call. When `events` answers [`ControlFlow::Break`] the call returns at once and the cells in
    /// flight end in nothing; so do they when it fails, because no cell can be rendered any more. A cell's picture must
    /// not depend on which others were in flight.
    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError>;
}

/// The backend itself broke: no cell can be rendered any more.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    /// What broke, in a sentence.
    pub message: String,
    /// Why, where something else was the cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
