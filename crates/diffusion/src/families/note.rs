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
        let text = "`negative_prompt` has no effect unless `true_cfg_scale` is above 1: the model is distilled and needs no second row";
        ModelNote { text: text.to_owned(), concerns: Concerns::WithBut("negative_prompt", "true_cfg_scale") }
    }
}

/// The experiments that a note on a model concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerns {
    /// All.
    All,
    /// Those that set this setting, at any value.
    With(&'static str),
    /// Those that set the first of these settings, and not the second.
    WithBut(&'static str, &'static str),
    /// Those that do not set this setting.
    Without(&'static str),
}
