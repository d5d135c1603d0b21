//! The types of a row of the settings table: kinds, defaults, when a setting applies, how it affects pixels.

use crate::training::{Training, TrainingMethod};
use crate::{ModelCard, Scheduler, Value};

/// Type and range of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// The name of a model: `sketchbook`, a folder, a file or a repository.
    Model,
    /// A file, relative to the experiment file; empty text means none.
    Path,
    /// `true` or `false`.
    Flag,
    /// Weight files by name, several joined by ` + `; `none` and empty text mean none. See [`crate::WeightsKind`].
    Weights,
    /// One word of a list.
    Choice(&'static [&'static str]),
    /// A part of a picture's steps, as text; see [`crate::GuidanceInterval`].
    Interval,
    /// The seed of a generator: a whole number from 0 to 2^64 - 1.
    Seed,
    /// A whole number within inclusive bounds.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number within inclusive bounds.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
}

/// Where a setting's default comes from.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// It has no default.
    Nothing,
    /// The table's own.
    Value(Literal),
    /// The model's, if its card has one.
    Model(fn(&ModelCard) -> Option<Literal>),
    /// The model's if its card has one, otherwise the table's own.
    ModelOr(fn(&ModelCard) -> Option<Literal>, Literal),
    /// That of the training of the cell's subject.
    Training(fn(&Training) -> Literal),
    /// The model's if its configuration has one, otherwise the scheduler's.
    Scheduler(fn(&ModelCard, Scheduler) -> Option<Literal>),
}

/// A default in the table.
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

/// Which pictures a setting applies to.
#[derive(Debug, Clone, Copy)]
pub enum Applies {
    /// All.
    Always,
    /// Those for which that setting names a file.
    With(&'static str),
    /// Those for which that number is not 0.
    NonZero(&'static str),
    /// Those for which that number is above 1.
    AboveOne(&'static str),
    /// Those with these schedulers.
    Schedulers(fn(Scheduler) -> bool),
    /// Those whose model's card has a default for it; cards in plans of older versions may have none.
    Known,
    /// The same, with these schedulers.
    KnownWith(fn(Scheduler) -> bool),
    /// Those of a subject that was trained with these methods.
    Trained(fn(TrainingMethod) -> bool),
    /// Those with guidance, see [`crate::Settings::guided`].
    Guided,
    /// Those of models with a [`crate::ModelCard::guidance_embedding`].
    Embedded,
}

/// How a setting affects pixels. Cells whose settings have the same effects have the same name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// Its value.
    Value,
    /// Its value, or none if that is the model's own.
    UnlessOwn,
    /// It has no effect.
    None,
    /// The fingerprint of the model that it names.
    Fingerprint,
    /// The same effect as this number.
    Number(f64),
    /// The UNet calls from the first number to before the second.
    Calls(usize, usize),
    /// The same effect as this seed.
    Seed(u64),
    /// The same effect as empty text.
    EmptyText,
    /// The weights of the model's safety checker.
    SafetyChecker,
    /// Its value, with words that are the names of files even if the files have words of their own.
    FileWords,
    /// The LoRAs in it whose weight is not 0.
    NonZeroWeights,
}

/// A value that a setting does not allow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{setting}` is `{value}`; allowed: {allowed}")]
pub struct SettingError {
    /// The setting's name.
    pub setting: String,
    /// What was written.
    pub value: String,
    /// What is allowed.
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
