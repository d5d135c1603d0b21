//! What the rules of the schedulers read: a configuration, and the settings of a picture that matter to it.

use super::config::{PredictionType, SchedulerConfig};
use super::schedule::Schedule;
use maquette_core::{Sigmas, Spacing};

/// What the rules of the schedulers read.
pub(super) struct Setup<'a> {
    pub config: &'a SchedulerConfig,
    pub schedule: Schedule,
    pub prediction: PredictionType,
    pub eta: f64,
    pub sigmas: Sigmas,
    pub spacing: Spacing,
    /// Steps of the whole schedule.
    pub steps: usize,
    /// How many of them image-to-image leaves out, from the first.
    pub skipped: usize,
}
