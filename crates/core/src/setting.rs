//! The list of settings: what each is called, what it may be, what it means.
//!
//! One table serves the planner's checks, the JSON Schema, the columns of the log and the text on a sheet, so that
//! a setting has one name and one range everywhere.

use crate::Value;

/// One setting: a key of the experiment file, a column of the log, a label on a sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// The word for it, diffusers' word where diffusers has one.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// One sentence for help texts and for the schema.
    pub about: &'static str,
}

/// What a setting may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any words; `{placeholders}` are filled.
    Text,
    /// A file, relative to the experiment file; the empty text means none.
    Path,
    /// One word of a list.
    Choice(&'static [&'static str]),
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

/// Every setting, in the order of the log's columns.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "model",
        kind: Kind::Text,
        about: "The model: `sketchbook`, a folder in diffusers layout, or a repository name.",
    },
    Setting { name: "prompt", kind: Kind::Text, about: "What the picture should show." },
    Setting {
        name: "negative_prompt",
        kind: Kind::Text,
        about: "What it should not show; used when guidance_scale is above 1.",
    },
    Setting {
        name: "init_image",
        kind: Kind::Path,
        about: "The reference picture to start from; empty for none.",
    },
    Setting {
        name: "fit",
        kind: Kind::Choice(&["crop", "top", "contain", "stretch"]),
        about: "How init_image meets the target's aspect.",
    },
    Setting {
        name: "strength",
        kind: Kind::Number { min: 0.0, max: 1.0 },
        about: "How far to leave init_image: 0 keeps it, 1 starts from noise alone.",
    },
    Setting {
        name: "seed",
        kind: Kind::Integer { min: 0, max: i64::MAX },
        about: "Where the noise comes from; the same seed gives the same noise as in diffusers on the CPU.",
    },
    Setting {
        name: "steps",
        kind: Kind::Integer { min: 1, max: 1000 },
        about: "Denoising steps of the whole schedule (num_inference_steps).",
    },
    Setting {
        name: "guidance_scale",
        kind: Kind::Number { min: 0.0, max: 100.0 },
        about: "How strongly to follow the prompt; 1 and below means no guidance.",
    },
    Setting {
        name: "scheduler",
        kind: Kind::Choice(&["pndm", "ddim", "euler", "euler_a"]),
        about: "The rule that turns predicted noise into the next latents.",
    },
    Setting {
        name: "width",
        kind: Kind::Integer { min: 8, max: 8192 },
        about: "Width of the picture in pixels.",
    },
    Setting {
        name: "height",
        kind: Kind::Integer { min: 8, max: 8192 },
        about: "Height of the picture in pixels.",
    },
    Setting {
        name: "clip_skip",
        kind: Kind::Integer { min: 0, max: 64 },
        about: "How many of the text encoder's last layers to leave out.",
    },
    Setting {
        name: "dtype",
        kind: Kind::Choice(&["auto", "f32", "f16", "bf16"]),
        about: "Precision of the weights: f32 on the CPU and f16 on a GPU unless said otherwise.",
    },
];

impl Setting {
    /// The setting of that name.
    pub fn named(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Checks one value: its type and its range.
    pub fn check(&self, value: &Value) -> Result<(), SettingError> {
        let fits = match self.kind {
            Kind::Text | Kind::Path => matches!(value, Value::Text(_)),
            Kind::Choice(words) => value.as_text().is_some_and(|word| words.contains(&word)),
            Kind::Integer { min, max } => value.as_integer().is_some_and(|n| (min..=max).contains(&n)),
            Kind::Number { min, max } => value.as_number().is_some_and(|x| (min..=max).contains(&x)),
        };
        if fits { Ok(()) } else { Err(self.error(value)) }
    }

    /// What the setting may be, in words.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Text => "text".to_owned(),
            Kind::Path => "a file's path, or the empty text for none".to_owned(),
            Kind::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Kind::Integer { min, max: i64::MAX } => format!("a whole number from {min}"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
        }
    }

    /// The error for a value that this setting cannot take.
    pub fn error(&self, value: &Value) -> SettingError {
        SettingError { setting: self.name.to_owned(), value: value.to_string(), allowed: self.allowed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_range_is_told_what_is_allowed() {
        let check = |name: &str, value: Value, expected: &str| {
            let error = Setting::named(name).unwrap().check(&value).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check("strength", 1.5.into(), "`strength` is `1.5`; allowed: a number from 0 to 1");
        check("steps", 0.into(), "`steps` is `0`; allowed: a whole number from 1 to 1000");
        check("seed", (-1).into(), "`seed` is `-1`; allowed: a whole number from 0");
        check("scheduler", "dmi".into(), "`scheduler` is `dmi`; allowed: `pndm`, `ddim`, `euler`, `euler_a`");
        check("prompt", 3.into(), "`prompt` is `3`; allowed: text");
    }

    #[test]
    fn zero_is_a_value() {
        for (name, value) in
            [("strength", Value::Number(0.0)), ("seed", 0.into()), ("guidance_scale", 0.into())]
        {
            assert_eq!(Setting::named(name).unwrap().check(&value), Ok(()));
        }
    }
}
