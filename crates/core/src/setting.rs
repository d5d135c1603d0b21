//! The list of settings: what each is called, what it may be, what it means.
//!
//! One table serves the planner's checks, the JSON Schema, the columns of the log and the text on a sheet, so that
//! a setting has one name and one range everywhere.

use crate::{Value, weights_list};

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
    /// `true` or `false`.
    Flag,
    /// Weight files by name, several joined by ` + `; `none` and the empty text mean none. See [`crate::WeightsKind`].
    Weights,
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

/// The settings given, above the defaults of all others that have one, in the order of [`SETTINGS`].
pub fn with_defaults(given: &[(&str, Value)]) -> Vec<(String, Value)> {
    let value = |setting: &Setting| match given.iter().find(|(name, _)| *name == setting.name) {
        Some((_, value)) => Some(value.clone()),
        None => setting.default(),
    };
    SETTINGS.iter().filter_map(|setting| Some((setting.name.to_owned(), value(setting)?))).collect()
}

/// Every setting, in the order of the log's columns.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "model",
        kind: Kind::Text,
        about: "The model: `sketchbook`, a folder in diffusers layout, or a repository name.",
    },
    Setting {
        name: "vae",
        kind: Kind::Path,
        about: "A VAE in place of the model's own: a .safetensors file or a folder; empty for none.",
    },
    Setting {
        name: "lora",
        kind: Kind::Weights,
        about: "LoRAs with their weights, such as `style:0.8` or `style:0.8 + hand:0.5`; `none` for none.",
    },
    Setting {
        name: "embeddings",
        kind: Kind::Weights,
        about: "Textual inversions, whose words a prompt may then use; `word=file` names the word.",
    },
    Setting { name: "prompt", kind: Kind::Text, about: "What the picture should show." },
    Setting {
        name: "negative_prompt",
        kind: Kind::Text,
        about: "What it should not show; used when guidance_scale is above 1.",
    },
    Setting {
        name: "dialect",
        kind: Kind::Choice(&["plain", "a1111"]),
        about: "How prompts are read: as they are, or with A1111's weights, BREAK, AND and switches.",
    },
    Setting {
        name: "init_image",
        kind: Kind::Path,
        about: "The reference picture to start from; empty for none.",
    },
    Setting {
        name: "mask",
        kind: Kind::Path,
        about: "Where init_image may change: white is repainted, black stays, grey in between; empty for everywhere.",
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
        name: "noise",
        kind: Kind::Choice(&["torch-cpu", "torch-cpu-f16", "torch-cuda"]),
        about: "Whose generator a seed means: torch's on the CPU, the same in half precision, or torch's on CUDA.",
    },
    Setting {
        name: "variation_seed",
        kind: Kind::Integer { min: 0, max: i64::MAX },
        about: "A second seed, towards which variation_strength turns the noise.",
    },
    Setting {
        name: "variation_strength",
        kind: Kind::Number { min: 0.0, max: 1.0 },
        about: "How far to turn the noise towards variation_seed: 0 keeps seed's, 1 takes variation_seed's.",
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
        kind: Kind::Choice(&["pndm", "ddim", "ddpm", "euler", "euler_a", "heun", "dpmpp_2m", "unipc", "lcm"]),
        about: "The rule that turns predicted noise into the next latents.",
    },
    Setting {
        name: "eta",
        kind: Kind::Number { min: 0.0, max: 1.0 },
        about: "How much fresh noise ddim adds at each step: 0 for none, 1 for as much as ddpm.",
    },
    Setting {
        name: "sigmas",
        kind: Kind::Choice(&["normal", "karras", "exponential"]),
        about: "How noise levels are spaced, for euler, heun, dpmpp_2m and unipc.",
    },
    Setting {
        name: "spacing",
        kind: Kind::Choice(&["leading", "trailing", "linspace"]),
        about: "How timesteps are chosen (timestep_spacing); the scheduler's own way when absent.",
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
    Setting {
        name: "safety_checker",
        kind: Kind::Flag,
        about: "Whether the model's safety checker looks at the picture and blackens what it flags.",
    },
];

impl Setting {
    /// The setting of that name.
    pub fn named(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// What it is where the file is silent; `None` where the model says, or where nothing is a value. Defaults are here
    /// and nowhere else.
    pub fn default(&self) -> Option<Value> {
        Some(match self.name {
            "model" => "sketchbook".into(),
            "prompt" | "negative_prompt" => "".into(),
            "dialect" => "plain".into(),
            "fit" => "crop".into(),
            "strength" => 0.8.into(),
            "seed" | "variation_seed" => 0.into(),
            "noise" => "torch-cpu".into(),
            "variation_strength" | "eta" => 0.0.into(),
            "steps" => 50.into(),
            "guidance_scale" => 7.5.into(),
            "clip_skip" => 0.into(),
            "dtype" => "auto".into(),
            "safety_checker" => Value::Flag(false),
            _ => return None,
        })
    }

    /// Checks one value: its type and its range.
    pub fn check(&self, value: &Value) -> Result<(), SettingError> {
        let fits = match self.kind {
            Kind::Text | Kind::Path => matches!(value, Value::Text(_)),
            Kind::Flag => matches!(value, Value::Flag(_)),
            Kind::Weights => value.as_text().is_some_and(|text| weights_list(text).is_some()),
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
            Kind::Flag => "true or false".to_owned(),
            Kind::Weights => "names of weight files joined by ` + `, or `none`".to_owned(),
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
        check(
            "scheduler",
            "dmi".into(),
            "`scheduler` is `dmi`; allowed: `pndm`, `ddim`, `ddpm`, `euler`, `euler_a`, `heun`, `dpmpp_2m`, `unipc`, `lcm`",
        );
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
