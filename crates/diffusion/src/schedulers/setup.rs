//! The input of the schedulers: a model's configuration and the relevant settings of a picture.

use super::config::SchedulerConfig;
use super::schedule::Schedule;
use maquette_core::{PredictionType, Sigmas, Spacing};

/// The input of the schedulers.
pub(super) struct Setup<'a> {
    pub config: &'a SchedulerConfig,
    pub schedule: Schedule,
    pub prediction: PredictionType,
    pub eta: f64,
    pub sigmas: Sigmas,
    pub spacing: Spacing,
    /// Steps of the whole schedule.
    pub steps: usize,
    /// How many of the first steps image-to-image skips.
    pub skipped: usize,
}
