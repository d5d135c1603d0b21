//! Why there is no schedule.

use maquette_core::Scheduler;

/// A schedule that cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing is left to do.
    #[error(
        "`{scheduler}` has no step to do: int(steps {steps} x strength {strength}) is 0; \
         allowed: a strength of at least 1/{steps}"
    )]
    NoSteps {
        /// The scheduler.
        scheduler: Scheduler,
        /// The steps of the whole schedule.
        steps: u32,
        /// How far to leave the reference picture.
        strength: f64,
    },
    /// More steps than the model was trained with, or distilled from.
    #[error(
        "`{scheduler}` cannot make {steps} steps where the model's `{key}` is {limit}; allowed: fewer steps"
    )]
    TooManySteps {
        /// The scheduler.
        scheduler: Scheduler,
        /// The steps that were asked for.
        steps: u32,
        /// The configuration's key that limits them.
        key: &'static str,
        /// Its value.
        limit: usize,
    },
    /// The formulas divide by zero.
    #[error(
        "`{scheduler}` has no weights for {steps} steps of this model: two of them fall on one timestep, or its noise \
         schedule ends in pure noise; allowed: fewer steps, or another scheduler or spacing"
    )]
    NotFinite {
        /// The scheduler.
        scheduler: Scheduler,
        /// The steps that were asked for.
        steps: u32,
    },
    /// The model's configuration asks for something that is not supported.
    #[error("`{key}` is `{value}` in scheduler_config.json; supported: {supported}")]
    Unsupported {
        /// The configuration's key.
        key: &'static str,
        /// What it says.
        value: String,
        /// What would do.
        supported: String,
    },
}
