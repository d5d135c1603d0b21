//! Errors that end a run early. A cell that fails does not.

use maquette_core::{BackendError, SettingError};
use maquette_store::StoreError;

/// Errors that end a run early.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A record could not be written, so rendering more would lose work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backend cannot render any more cells.
    #[error("the engine stopped")]
    Backend(#[from] BackendError),
    /// The plan in the run's folder has a value that its setting does not allow; the planner never writes one.
    #[error("plan.json has an invalid cell")]
    Plan(#[from] SettingError),
}

impl ExecuteError {
    /// What to do about it, in a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            ExecuteError::Store(error) => error.hint(),
            ExecuteError::Backend(_) => Some("Finished cells are kept; run again to resume.".to_owned()),
            ExecuteError::Plan(_) => Some("Remove the run's folder and run the experiment again.".to_owned()),
        }
    }

    /// The backend broke its contract: an error in Maquette, not in the experiment.
    pub(crate) fn contract(message: String) -> ExecuteError {
        ExecuteError::Backend(BackendError { message, source: None })
    }
}
