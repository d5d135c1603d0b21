//! What ends a run before its time. A cell that fails does not.

use maquette_core::{BackendError, SettingError};
use maquette_store::StoreError;

/// What ends a run before its time.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A record could not be written, so going on would lose work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No cell can be rendered any more.
    #[error("the engine stopped")]
    Backend(#[from] BackendError),
    /// The plan in the run's folder does not make sense; the planner would not have written it.
    #[error("plan.json has a cell that cannot be")]
    Plan(#[from] SettingError),
}

impl ExecuteError {
    /// What a person could do about it, in a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            ExecuteError::Store(error) => error.hint(),
            ExecuteError::Backend(_) => Some("Finished cells are kept: run again to go on.".to_owned()),
            ExecuteError::Plan(_) => Some("Remove the run's folder and run the experiment again.".to_owned()),
        }
    }

    /// The backend broke its promise; an error in Maquette, not in what somebody asked for.
    pub(crate) fn contract(message: String) -> ExecuteError {
        ExecuteError::Backend(BackendError { message, source: None })
    }
}
