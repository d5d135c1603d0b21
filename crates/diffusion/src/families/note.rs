//! Notes on how a model's files are read.

/// A note on how a model's files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelNote {
    /// A sentence without its full stop.
    pub text: String,
    /// The setting that makes the note superfluous.
    pub answered_by: Option<&'static str>,
}
