//! Methods of a row of the settings table: checks, defaults, help.
//!
//! The rows are in `table.rs`; `lookup.rs` resolves a setting in one cell.

use crate::ModelCard;
use crate::interval::GuidanceInterval;
use crate::kind::{Fallback, Kind, SettingError};
use crate::limits::{MAX_TEXT, shortened};
use crate::table::{SETTINGS, Setting};
use crate::value::Value;
use crate::weights::parse_weights;

/// The given settings, and the defaults of all others that have one, in the order of [`SETTINGS`].
pub fn with_defaults(given: &[(&str, Value)]) -> Vec<(String, Value)> {
    let value = |setting: &Setting| match given.iter().find(|(name, _)| *name == setting.name) {
        Some((_, value)) => Some(value.clone()),
        None => setting.default(),
    };
    SETTINGS.iter().filter_map(|setting| Some((setting.name.to_owned(), value(setting)?))).collect()
}

impl Setting {
    /// The setting of that name.
    pub fn named(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The table's default; `None` if the default comes from the model or its scheduler, or if there is none. A model may have
    /// another one, see [`Setting::default_of`].
    pub fn default(&self) -> Option<Value> {
        match self.fallback {
            Fallback::Value(literal) | Fallback::ModelOr(_, literal) => Some(literal.into()),
            Fallback::Nothing | Fallback::Model(_) | Fallback::Scheduler(_) | Fallback::Training(_) => None,
        }
    }

    /// The default of a model that takes the place of the table's, if it has one.
    pub fn default_of(&self, model: &ModelCard) -> Option<Value> {
        match self.fallback {
            Fallback::ModelOr(of, _) => of(model).map(Value::from),
            _ => None,
        }
    }

    /// Whether models may have defaults of their own in place of the table's.
    pub fn has_defaults_of_models(&self) -> bool {
        matches!(self.fallback, Fallback::ModelOr(..))
    }

    /// Checks the type and the range of a value.
    pub fn check(&self, value: &Value) -> Result<(), SettingError> {
        if let Value::Text(text) = value {
            self.check_length(text)?;
        }
        let fits = match self.kind {
            Kind::Text | Kind::Model | Kind::Path => matches!(value, Value::Text(_)),
            Kind::Flag => matches!(value, Value::Flag(_)),
            Kind::Weights => match value {
                Value::Weights(_) => true,
                Value::Text(text) => parse_weights(text).is_some(),
                _ => false,
            },
            Kind::Choice(words) => value.as_text().is_some_and(|word| words.contains(&word)),
            Kind::Interval => value.as_text().is_some_and(|text| text.parse::<GuidanceInterval>().is_ok()),
            Kind::Seed => value.as_unsigned().is_some(),
            Kind::Integer { min, max } => value.as_integer().is_some_and(|n| (min..=max).contains(&n)),
            Kind::Number { min, max } => value.as_number().is_some_and(|x| (min..=max).contains(&x)),
        };
        if fits { Ok(()) } else { Err(self.error(value)) }
    }

    /// Checks the length of a text: the value as written, or with its placeholders filled.
    pub(crate) fn check_length(&self, text: &str) -> Result<(), SettingError> {
        if text.len() <= MAX_TEXT {
            return Ok(());
        }
        let allowed = format!("text of at most {MAX_TEXT} bytes; it has {}", text.len());
        Err(SettingError { setting: self.name.to_owned(), value: shortened(text), allowed })
    }

    /// A description of the allowed values.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Model => "the name of a model".to_owned(),
            Kind::Path => "a file path, or empty text for none".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Weights => "names of weight files joined by ` + `, or `none`".to_owned(),
            Kind::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Kind::Interval => "two numbers from 0 to 1 in ascending order, such as `0.1-0.8`".to_owned(),
            Kind::Seed => "a whole number from 0 to 2^64 - 1".to_owned(),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
        }
    }

    /// The error for a value that this setting does not allow.
    pub fn error(&self, value: &Value) -> SettingError {
        SettingError { setting: self.name.to_owned(), value: value.to_string(), allowed: self.allowed() }
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
            "`scheduler` is `dmi`; allowed: `pndm`, `ddim`, `ddpm`, `euler`, `euler_a`, `heun`, `dpmpp_2m`, `unipc`, `lcm`, \
             `flow_euler`, `flow_heun`, `flow_dpmpp_2m`",
        );
        check(
            "guidance_interval",
            "0.8-0.1".into(),
            "`guidance_interval` is `0.8-0.1`; allowed: two numbers from 0 to 1 in ascending order, such as `0.1-0.8`",
        );
        check("prompt", 3.into(), "`prompt` is `3`; allowed: text");
        let long = "a".repeat(MAX_TEXT + 1);
        let expected =
            format!("`prompt` is `{}`; allowed: text of at most 65536 bytes; it has 65537", shortened(&long));
        check("prompt", long.as_str().into(), &expected);
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
        for setting in SETTINGS {
            if let Some(value) = setting.default() {
                assert_eq!(setting.check(&value), Ok(()), "{}", setting.name);
            }
        }
    }
}
