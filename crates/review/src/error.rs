//! The errors of the server, and how they are answered.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use maquette::{Error, ErrorKind, StoreError, with_causes};

/// Why a server cannot be started or ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// A run is not found or cannot be read.
    #[error(transparent)]
    Run(#[from] Error),
    /// Two different runs of that name; addresses need different ones.
    #[error("two runs are named {name}; allowed: runs of different names")]
    SameName {
        /// The name, such as `mucha@1`.
        name: String,
    },
    /// The port is in use, or not allowed.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port; 0 for any.
        port: u16,
        /// The system's error.
        source: std::io::Error,
    },
    /// The system reported an error while the server was running.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
}

impl ReviewError {
    /// What to do about it, in a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReviewError::Run(error) => error.hint(),
            ReviewError::Listen { port: 1.., .. } => {
                Some("Leave out `--port` to use any free port.".to_owned())
            }
            _ => None,
        }
    }
}

/// A request that is refused, with the reason as plain text: the page shows it.
pub(crate) struct Refusal(pub StatusCode, pub String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let status = match error {
            StoreError::NoCell { .. } => StatusCode::NOT_FOUND,
            // The file was edited by hand and must not be overwritten.
            StoreError::Damaged { .. } => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal(status, with_causes(&error))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let status = match &error {
            Error::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Error::OutsidePicture { .. } => StatusCode::BAD_REQUEST,
            // It may be here at the next request.
            Error::NoVisionModel { .. } => StatusCode::SERVICE_UNAVAILABLE,
            error if error.kind() == ErrorKind::NotFound => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match (error, status) {
            (Error::Store(error), _) => error.into(),
            (error, status) => {
                let hint = error.hint().map_or(String::new(), |hint| format!("\n\n{hint}"));
                Refusal(status, with_causes(&error) + &hint)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, [(CONTENT_TYPE, "text/plain; charset=utf-8")], self.1 + "\n").into_response()
    }
}
