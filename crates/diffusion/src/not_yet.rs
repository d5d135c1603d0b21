//! Settings that the plan knows and the engine does not yet: a cell that uses one fails and says so.

use crate::RenderError;
use maquette_core::{Noise, Scheduler, Settings, Sigmas};

/// Refuses a cell that asks for something that is not there yet.
pub(crate) fn not_yet(settings: &Settings) -> Result<(), RenderError> {
    let used = [
        (
            matches!(
                settings.scheduler,
                Scheduler::Ddpm | Scheduler::Heun | Scheduler::Dpmpp2m | Scheduler::Unipc | Scheduler::Lcm
            ),
            "scheduler",
        ),
        (settings.eta.is_some_and(|eta| eta > 0.0), "eta"),
        (settings.sigmas.is_some_and(|sigmas| sigmas != Sigmas::Normal), "sigmas"),
        (settings.noise != Noise::TorchCpu, "noise"),
        (settings.variation.is_some(), "variation_strength"),
        (settings.vae.is_some(), "vae"),
    ];
    match used.into_iter().find(|(used, _)| *used) {
        Some((_, setting)) => Err(RenderError::NotYet { setting }),
        None => Ok(()),
    }
}
