//! Errors of schedules.

use maquette_core::Scheduler;

/// A schedule that cannot be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// The strength leaves no steps.
    #[error(
        "`{scheduler}` has no steps to run: int(steps {steps} x strength {strength}) is 0; \
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
    /// One step, whose sigma is 1, where the last sigma must be another one.
    #[error(
        "one step of `flow_euler` is not possible: the model's `shift_terminal` is {terminal}, to which the last of several steps is stretched; allowed: at least 2 steps, or another scheduler"
    )]
    OneStep {
        /// The last sigma.
        terminal: f64,
    },
    /// More steps than the model was trained with, or distilled from.
    #[error("`{scheduler}` cannot run {steps} steps: the model's `{key}` is {limit}; allowed: fewer steps")]
    TooManySteps {
        /// The scheduler.
        scheduler: Scheduler,
        /// The requested steps.
        steps: u32,
        /// The configuration's key that limits them.
        key: &'static str,
        /// Its value.
        limit: usize,
    },
    /// The formulas divide by zero.
    #[error(
        "`{scheduler}` cannot run {steps} steps with this model: two steps have the same timestep, or its noise \
         schedule ends in pure noise; allowed: fewer steps, or another scheduler or spacing"
    )]
    NotFinite {
        /// The scheduler.
        scheduler: Scheduler,
        /// The requested steps.
        steps: u32,
    },
    /// The model predicts flow, and the scheduler is for others.
    #[error("`{scheduler}` cannot be used with a model that predicts flow; allowed: {}", of_flow(true))]
    NotFlow {
        /// The scheduler.
        scheduler: Scheduler,
    },
    /// The scheduler is for models that predict flow.
    #[error(
        "`{scheduler}` is for models that predict flow, which this one does not; allowed: {}",
        of_flow(false)
    )]
    OnlyFlow {
        /// The scheduler.
        scheduler: Scheduler,
    },
    /// The model's configuration has a value that is not supported.
    #[error("`{key}` is `{value}` in scheduler_config.json; supported: {supported}")]
    Unsupported {
        /// The configuration's key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The supported values.
        supported: String,
    },
}

/// The schedulers that are for models that predict flow, or those that are not.
fn of_flow(flow: bool) -> String {
    let words = Scheduler::ALL.iter().filter(|scheduler| scheduler.is_flow() == flow);
    words.map(|scheduler| scheduler.as_str()).collect::<Vec<_>>().join(", ")
}
