//! Settings that the plan knows and the engine does not yet: a cell that uses one fails and says so.

use crate::RenderError;
use maquette_core::Settings;

/// Refuses a cell that asks for something that is not there yet.
pub(crate) fn not_yet(settings: &Settings) -> Result<(), RenderError> {
    let used = [(settings.vae.is_some(), "vae")];
    match used.into_iter().find(|(used, _)| *used) {
        Some((_, setting)) => Err(RenderError::NotYet { setting }),
        None => Ok(()),
    }
}
