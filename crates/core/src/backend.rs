//! The interface between the executor and the engine.

use crate::{Cell, Event};
use std::ops::ControlFlow;

/// Renders cells. Implemented by the engine, and by a fake for tests.
pub trait Backend {
    /// The device it runs on, such as `cpu` or `cuda:0`, a column of the log; several with commas between them.
    fn device(&self) -> String;

    /// Announces cells that later calls of [`Backend::render`] will probably have, so that all of their prompts can be encoded
    /// before the first is rendered. Pictures do not depend on it.
    fn expect(&mut self, _cells: &mut dyn Iterator<Item = Cell>) {}

    /// Pulls cells and pushes events until there are no more cells and none is in flight.
    ///
    /// Every cell pulled ends in exactly one [`Event::Finished`] or [`Event::Failed`], in any order; a failed cell
    /// does not end the call. If `events` returns [`ControlFlow::Break`], the call returns at once, and the cells in
    /// flight get no further event. The same is true if the call fails, because no cell can be rendered any more. A cell's
    /// picture must not depend on which others were in flight.
    fn render(
        &mut self,
        cells: &mut dyn Iterator<Item = Cell>,
        events: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), BackendError>;
}

/// The backend itself failed: no cell can be rendered any more.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    /// What failed, in one sentence.
    pub message: String,
    /// The underlying error, if any.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
