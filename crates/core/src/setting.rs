//! What the table of settings says of one setting, and what follows from it: checks, defaults, help.
//!
//! The rows themselves are in `table.rs`, what a setting comes to in one cell in `lookup.rs`.

use crate::{ModelCard, Scheduler, Settings, Value, parse_weights};

/// One setting: a key of the experiment file, a column of the log, a label on a sheet.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key; diffusers' word where diffusers has one.
    pub name: &'static str,
    /// One sentence for help texts and for the schema.
    pub about: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Whether `{placeholders}` in its text are filled.
    pub template: bool,
    /// What it is where the file does not give it.
    pub fallback: Fallback,
    /// To which pictures it applies. Where it does not, it is `None` in [`Settings`], empty in the log, and not part of
    /// a cell's name.
    pub applies: Applies,
    /// What of it changes pixels: its part in a cell's name.
    pub effect: fn(&Settings) -> Effect,
    /// Completes "`strength` 0.8 and 0.85 both …", where `effect` makes different values the same.
    pub same_effect: fn(&Settings) -> String,
    /// Sorts its line in the canonical form; its name where empty.
    pub order: &'static str,
    /// Whether people seldom set it: sheets leave it out at its default.
    pub rare: bool,
}

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

/// The settings given, above the defaults of all others that have one, in the order of `settings`.
pub fn with_defaults(given: &[(&str, Value)]) -> Vec<(String, Value)> {
    let value = |setting: &Setting| match given.iter().find(|(name, _)| *name == setting.name) {
        Some((_, value)) => Some(value.clone()),
        None => setting.default(),
    };
    crate::SETTINGS.iter().filter_map(|setting| Some((setting.name.to_owned(), value(setting)?))).collect()
}

impl Setting {
    /// A row of the table that says nothing beyond what most rows say.
    pub(crate) const ORDINARY: Setting = Setting {
        name: "",
        about: "",
        kind: Kind::Text,
        template: false,
        fallback: Fallback::Nothing,
        applies: Applies::Always,
        effect: |_| Effect::Value,
        same_effect: |_| String::new(),
        order: "",
        rare: false,
    };

    /// The setting of that name.
    pub fn named(name: &str) -> Option<&'static Setting> {
        crate::SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The table's default; `None` where the model or its scheduler decides, or where it has none.
    pub fn default(&self) -> Option<Value> {
        match self.fallback {
            Fallback::Value(literal) => Some(literal.into()),
            Fallback::Nothing | Fallback::Model(_) | Fallback::Scheduler(_) => None,
        }
    }

    /// Checks one value: its type and its range.
    pub fn check(&self, value: &Value) -> Result<(), SettingError> {
        let fits = match self.kind {
            Kind::Text | Kind::Model | Kind::Path => matches!(value, Value::Text(_)),
            Kind::Flag => matches!(value, Value::Flag(_)),
            Kind::Weights => match value {
                Value::Weights(_) => true,
                Value::Text(text) => parse_weights(text).is_some(),
                _ => false,
            },
            Kind::Choice(words) => value.as_text().is_some_and(|word| words.contains(&word)),
            Kind::Seed => value.as_unsigned().is_some(),
            Kind::Integer { min, max } => value.as_integer().is_some_and(|n| (min..=max).contains(&n)),
            Kind::Number { min, max } => value.as_number().is_some_and(|x| (min..=max).contains(&x)),
        };
        if fits { Ok(()) } else { Err(self.error(value)) }
    }

    /// The values that the setting allows, in words.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Model => "the name of a model".to_owned(),
            Kind::Path => "a file's path, or the empty text for none".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Weights => "names of weight files joined by ` + `, or `none`".to_owned(),
            Kind::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Kind::Seed => "a whole number from 0 to 2^64 - 1".to_owned(),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
        }
    }

    /// The error for a value that this setting cannot take.
    pub fn error(&self, value: &Value) -> SettingError {
        SettingError { setting: self.name.to_owned(), value: value.to_string(), allowed: self.allowed() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_allowed() {
        let check = |name: &str, value: Value, expected: &str| {
            let error = Setting::named(name).unwrap().check(&value).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("strength", 1.5.into(), "`strength` is `1.5`; allowed: a number from 0 to 1");
        check("steps", 0.into(), "`steps` is `0`; allowed: a whole number from 1 to 1000");
        check("seed", (-1).into(), "`seed` is `-1`; allowed: a whole number from 0 to 2^64 - 1");
        check(
            "scheduler",
            "dmi".into(),
            "`scheduler` is `dmi`; allowed: `pndm`, `ddim`, `ddpm`, `euler`, `euler_a`, `heun`, `dpmpp_2m`, `unipc`, `lcm`",
        );
        check("prompt", 3.into(), "`prompt` is `3`; allowed: text");
        check("model", 3.into(), "`model` is `3`; allowed: the name of a model");
    }

    #[test]
    fn zero_is_a_value() {
        for (name, value) in
            [("strength", Value::Number(0.0)), ("seed", 0.into()), ("guidance_scale", 0.into())]
        {
            assert_eq!(Setting::named(name).unwrap().check(&value), Ok(()));
        }
    }

    #[test]
    fn every_default_is_allowed() {
        for setting in crate::SETTINGS {
            if let Some(value) = setting.default() {
                assert_eq!(setting.check(&value), Ok(()), "{}", setting.name);
            }
        }
    }
}
