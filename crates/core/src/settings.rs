//! Settings with every value resolved: what one picture is made from.

use crate::{Digest, Setting, SettingError, Value};
use std::sync::Arc;

/// Everything that a person may choose about one picture, resolved: no field means "default".
///
/// `None` means *not applicable*: without `init_image` there is no `fit` and no `strength`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Model name as written in the file; the plan knows its fingerprint.
    pub model: Arc<str>,
    /// Prompt with its placeholders filled.
    pub prompt: Arc<str>,
    /// Negative prompt, empty for none.
    pub negative_prompt: Arc<str>,
    /// Reference picture to start from.
    pub init_image: Option<InitImage>,
    /// How `init_image` meets the target's aspect.
    pub fit: Option<Fit>,
    /// How far to leave `init_image`, 0 to 1.
    pub strength: Option<f64>,
    /// Seed of torch's CPU generator, 0 to 2^63 - 1.
    pub seed: i64,
    /// Denoising steps of the whole schedule, 1 to 1000.
    pub steps: u32,
    /// Classifier-free guidance; off at 1 and below.
    pub guidance_scale: f64,
    /// The rule of each step.
    pub scheduler: Scheduler,
    /// Width in pixels, a multiple of the model's latent cell.
    pub width: u32,
    /// Height in pixels, a multiple of the model's latent cell.
    pub height: u32,
    /// How many of the text encoder's last layers to leave out.
    pub clip_skip: u32,
    /// Precision of weights and activations; never `auto` here.
    pub dtype: Dtype,
}

/// A reference picture: where it was found and what was in it.
#[derive(Debug, Clone, PartialEq)]
pub struct InitImage {
    /// The path as written in the experiment file; what the log and the sheet show.
    pub path: Arc<str>,
    /// Where to read it.
    pub file: Arc<std::path::Path>,
    /// BLAKE3 of the file's bytes: the part of it that names a cell.
    pub digest: Digest,
}

/// Gives an enum of plain words its `Display`, `FromStr` and list.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word for it in files, logs and labels.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The value that a word stands for.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// How a reference picture meets an aspect that is not its own.
    Fit {
        /// Cut to the target's aspect from the centre.
        Crop = "crop",
        /// Cut to the target's aspect, keeping the top: portraits keep their heads.
        Top = "top",
        /// Keep all of it and fill the rest with its mean colour.
        Contain = "contain",
        /// Squeeze it.
        Stretch = "stretch",
    }
}

words! {
    /// The rule that turns predicted noise into the next latents; diffusers' classes of the same names.
    Scheduler {
        /// PNDMScheduler with skipped Runge-Kutta steps (PLMS), the default of Stable Diffusion v1-4.
        Pndm = "pndm",
        /// DDIMScheduler with eta 0.
        Ddim = "ddim",
        /// EulerDiscreteScheduler.
        Euler = "euler",
        /// EulerAncestralDiscreteScheduler.
        EulerA = "euler_a",
    }
}

words! {
    /// Precision of weights and activations.
    Dtype {
        /// 32-bit floats.
        F32 = "f32",
        /// 16-bit floats.
        F16 = "f16",
        /// bfloat16.
        Bf16 = "bf16",
    }
}

impl Settings {
    /// The value of a setting by name; `None` when it does not apply to this picture.
    ///
    /// `init_image` is the path as written.
    pub fn get(&self, name: &str) -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        match name {
            "model" => text(&self.model),
            "prompt" => text(&self.prompt),
            "negative_prompt" => text(&self.negative_prompt),
            "init_image" => self.init_image.as_ref().and_then(|picture| text(&picture.path)),
            "fit" => self.fit.and_then(|fit| text(fit.word())),
            "strength" => self.strength.map(Value::Number),
            "seed" => Some(Value::Integer(self.seed)),
            "steps" => Some(Value::Integer(self.steps.into())),
            "guidance_scale" => Some(Value::Number(self.guidance_scale)),
            "scheduler" => text(self.scheduler.word()),
            "width" => Some(Value::Integer(self.width.into())),
            "height" => Some(Value::Integer(self.height.into())),
            "clip_skip" => Some(Value::Integer(self.clip_skip.into())),
            "dtype" => text(self.dtype.word()),
            _ => None,
        }
    }

    /// Every setting that applies, with its value, in the order of [`crate::SETTINGS`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, Value)> {
        crate::SETTINGS.iter().filter_map(|setting| Some((setting, self.get(setting.name)?)))
    }

    /// The text whose digest names a cell: everything that can change the pixels, and nothing else.
    ///
    /// One line per setting, sorted by name, each value preceded by its length in bytes so that no text can imitate
    /// another line. Files stand by their content and the model by its fingerprint; a path never appears.
    pub fn canonical(&self, model: &Digest, numerics: u32) -> String {
        use std::fmt::Write;
        let mut form = String::with_capacity(1024);
        // Grids of millions of cells are named: one buffer for all values, and text is not formatted.
        let mut shown = String::with_capacity(64);
        let mut text = |name: &str, value: &str| {
            form.push_str(name);
            form.push(':');
            let _ = write!(form, "{}", value.len());
            form.push(':');
            form.push_str(value);
            form.push('\n');
        };
        let mut line = |text: &mut dyn FnMut(&str, &str), name: &str, value: &dyn std::fmt::Display| {
            shown.clear();
            let _ = write!(shown, "{value}");
            text(name, &shown);
        };
        line(&mut text, "clip_skip", &self.clip_skip);
        text("dtype", self.dtype.word());
        if let (Some(picture), Some(fit), Some(strength)) = (&self.init_image, self.fit, self.strength) {
            text("fit", fit.word());
            line(&mut text, "init_image", &picture.digest);
            line(&mut text, "strength", &strength);
        }
        line(&mut text, "guidance_scale", &self.guidance_scale);
        line(&mut text, "height", &self.height);
        line(&mut text, "model", model);
        text("negative_prompt", &self.negative_prompt);
        line(&mut text, "numerics", &numerics);
        text("prompt", &self.prompt);
        text("scheduler", self.scheduler.word());
        line(&mut text, "seed", &self.seed);
        line(&mut text, "steps", &self.steps);
        line(&mut text, "width", &self.width);
        form
    }
}

impl Setting {
    /// Reads a checked word; the error is the setting's own.
    pub fn word<T>(&self, value: &Value, from_word: fn(&str) -> Option<T>) -> Result<T, SettingError> {
        value.as_text().and_then(from_word).ok_or_else(|| self.error(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_fixed() {
        // A change here renames every cell ever made: it needs a new NUMERICS and a reason.
        let digest = Digest::of(b"a picture");
        let settings = Settings {
            model: "sketchbook".into(),
            prompt: "é\nseed:1:2".into(),
            negative_prompt: "".into(),
            init_image: Some(InitImage {
                path: "me.png".into(),
                file: std::path::Path::new("me.png").into(),
                digest,
            }),
            fit: Some(Fit::Crop),
            strength: Some(0.3),
            seed: 7,
            steps: 20,
            guidance_scale: 7.0,
            scheduler: Scheduler::EulerA,
            width: 64,
            height: 128,
            clip_skip: 0,
            dtype: Dtype::F32,
        };
        let model = Digest::of(b"a model");
        let expected = format!(
            "clip_skip:1:0\ndtype:3:f32\nfit:4:crop\ninit_image:64:{digest}\nstrength:3:0.3\nguidance_scale:1:7\n\
             height:3:128\nmodel:64:{model}\nnegative_prompt:0:\nnumerics:1:1\nprompt:11:é\nseed:1:2\n\
             scheduler:7:euler_a\nseed:1:7\nsteps:2:20\nwidth:2:64\n"
        );
        assert_eq!(settings.canonical(&model, 1), expected);
        let text_to_image = Settings { init_image: None, fit: None, strength: None, ..settings };
        assert!(!text_to_image.canonical(&model, 1).contains("strength"));
    }
}
