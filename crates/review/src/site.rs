//! What every request has at hand.

use crate::error::Refusal;
use crate::mask_model::MaskModel;
use crate::runs::Runs;
use axum::http::StatusCode;

/// What the server serves.
pub(crate) struct Site {
    pub runs: Runs,
    pub port: u16,
    /// The beginning of every path, so that no other program or web page guesses an address.
    pub token: String,
    pub masks: MaskModel,
}

/// Runs something that reads or writes files on a thread of its own.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}
