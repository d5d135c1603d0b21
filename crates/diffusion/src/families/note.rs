//! Notes on how a model's files are read.

/// A note on how a model's files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelNote {
    /// A sentence without its full stop.
    pub text: String,
    /// Which experiments it concerns.
    pub concerns: Concerns,
}

/// The experiments that a note on a model concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerns {
    /// All.
    All,
    /// Those that set this setting, at any value.
    With(&'static str),
    /// Those that do not set this setting.
    Without(&'static str),
}
