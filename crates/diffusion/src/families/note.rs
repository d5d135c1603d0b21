//! Notes on how a model's files are read.

/// A note on how a model's files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelNote {
    /// A sentence without its full stop.
    pub text: String,
    /// Which experiments it concerns.
    pub concerns: Concerns,
}

impl ModelNote {
    /// That a model whose pictures have one row has no use for a negative prompt.
    pub(super) fn of_negative_prompt() -> ModelNote {
        let text = "`negative_prompt` has no effect: the model is distilled and has no second row for it";
        ModelNote { text: text.to_owned(), concerns: Concerns::With("negative_prompt") }
    }
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
