//! What a row of the settings table may say: kinds, defaults, when a setting applies, what of it changes pixels.

use crate::{ModelCard, Scheduler, Value};

/// Type and range of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// The name of a model: `sketchbook`, a folder, a file or a repository.
    Model,
    /// A file, relative to the experiment file; the empty text means none.
    Path,
    /// `true` or `false`.
    Flag,
    /// Weight files by name, several joined by ` + `; `none` and the empty text mean none. See [`crate::WeightsKind`].
    Weights,
    /// One word of a list.
    Choice(&'static [&'static str]),
    /// The seed of a generator: a whole number from 0 to 2^64 - 1.
    Seed,
    /// A whole number within bounds, both included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number within bounds, both included.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
}

/// Whose default a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// None: it has no value.
    Nothing,
    /// The table's own.
    Value(Literal),
    /// The model's.
    Model(fn(&ModelCard) -> Literal),
    /// The model's where its configuration has one, otherwise the scheduler's.
    Scheduler(fn(&ModelCard, Scheduler) -> Option<Literal>),
}

/// A default as the table writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal {
    /// Text, or one word of a list.
    Text(&'static str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
}

/// To which pictures a setting applies.
#[derive(Debug, Clone, Copy)]
pub enum Applies {
    /// To all.
    Always,
    /// Where that setting names a file.
    With(&'static str),
    /// Where that number is not 0.
    NonZero(&'static str),
    /// Under these schedulers.
    Schedulers(fn(Scheduler) -> bool),
    /// Under guidance, as [`crate::guided`] says.
    Guided,
}

/// What of a setting changes pixels. Cells whose settings have the same effects have the same name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// Its value.
    Value,
    /// Nothing at all.
    None,
    /// The fingerprint of the model that it names.
    Fingerprint,
    /// What this number would do.
    Number(f64),
    /// What this seed would do.
    Seed(u64),
    /// What the empty text would do.
    EmptyText,
    /// What the weights of the model's safety checker would do.
    SafetyChecker,
    /// The LoRAs in it whose weight is not 0.
    NonZeroWeights,
}

/// A value that a setting cannot take.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{setting}` is `{value}`; allowed: {allowed}")]
pub struct SettingError {
    /// The setting's name.
    pub setting: String,
    /// What was written.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Value {
        match literal {
            Literal::Text(text) => text.into(),
            Literal::Integer(n) => n.into(),
            Literal::Number(x) => x.into(),
            Literal::Flag(flag) => Value::Flag(flag),
        }
    }
}
