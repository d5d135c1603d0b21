//! Settings with every value resolved: what one picture is made from.

use crate::options::{Dialect, Dtype, Fit, Noise, Scheduler, Sigmas, Spacing};
use crate::{Digest, Setting, SettingError, Value};
use std::sync::Arc;

/// Everything that a person may choose about one picture, resolved: no field means "default".
///
/// `None` means *not applicable*: without `init_image` there is no `fit` and no `strength`.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Model name as written in the file; the plan knows its fingerprint.
    pub model: Arc<str>,
    /// A VAE in place of the model's own.
    pub vae: Option<NamedFile>,
    /// LoRAs in the order they were named: those of `lora`, then those of the prompt.
    pub lora: Vec<Lora>,
    /// Textual inversions.
    pub embeddings: Vec<Embedding>,
    /// Prompt with its placeholders filled and its `<lora:…>` taken out.
    pub prompt: Arc<str>,
    /// Negative prompt, empty for none.
    pub negative_prompt: Arc<str>,
    /// How the two prompts are read.
    pub dialect: Dialect,
    /// Reference picture to start from.
    pub init_image: Option<NamedFile>,
    /// Where `init_image` may change; `None` for everywhere.
    pub mask: Option<NamedFile>,
    /// How `init_image` meets the target's aspect.
    pub fit: Option<Fit>,
    /// How far to leave `init_image`, 0 to 1.
    pub strength: Option<f64>,
    /// Seed of the generator, 0 to 2^63 - 1.
    pub seed: i64,
    /// Whose generator it is.
    pub noise: Noise,
    /// A second seed, where it has any part in the noise.
    pub variation: Option<Variation>,
    /// Denoising steps of the whole schedule, 1 to 1000.
    pub steps: u32,
    /// Classifier-free guidance; off at 1 and below.
    pub guidance_scale: f64,
    /// The rule of each step.
    pub scheduler: Scheduler,
    /// How much fresh noise DDIM adds at each step, 0 to 1; `None` for other schedulers.
    pub eta: Option<f64>,
    /// How noise levels are spaced; `None` where [`Scheduler::has_sigmas`] says no.
    pub sigmas: Option<Sigmas>,
    /// How timesteps are chosen; `None` where [`Scheduler::own_spacing`] is.
    pub spacing: Option<Spacing>,
    /// Width in pixels, a multiple of the model's latent cell.
    pub width: u32,
    /// Height in pixels, a multiple of the model's latent cell.
    pub height: u32,
    /// How many of the text encoder's last layers to leave out.
    pub clip_skip: u32,
    /// Precision of weights and activations; never `auto` here.
    pub dtype: Dtype,
    /// Whether the model's safety checker looks at the picture.
    pub safety_checker: bool,
}

/// A file that a setting names: as written, where it was found, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamedFile {
    /// The path or name as written in the experiment file; what the log and the sheet show.
    pub path: Arc<str>,
    /// Where to read it.
    pub file: Arc<std::path::Path>,
    /// BLAKE3 of the file's bytes: the part of it that names a cell.
    pub digest: Digest,
}

/// A LoRA and how strongly it acts.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Its weights.
    pub file: NamedFile,
    /// What its change is multiplied by: 1 as trained, 0 for nothing, negative for the opposite.
    pub weight: f64,
}

/// A textual inversion: a word with embeddings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Embedding {
    /// The word, where the experiment names it; otherwise the file does.
    pub word: Option<Arc<str>>,
    /// Its vectors.
    pub file: NamedFile,
}

/// A second seed and its part in the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variation {
    /// The seed, 0 to 2^63 - 1.
    pub seed: i64,
    /// Its part, above 0 and up to 1.
    pub strength: f64,
}

impl Settings {
    /// The value of a setting by name; `None` when it does not apply to this picture.
    ///
    /// Files are shown as written.
    pub fn get(&self, name: &str) -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        match name {
            "model" => text(&self.model),
            "vae" => self.vae.as_ref().and_then(|file| text(&file.path)),
            "lora" => (!self.lora.is_empty()).then(|| Value::Text(shown(&self.lora))),
            "embeddings" => (!self.embeddings.is_empty()).then(|| Value::Text(shown(&self.embeddings))),
            "prompt" => text(&self.prompt),
            "negative_prompt" => text(&self.negative_prompt),
            "dialect" => text(self.dialect.as_str()),
            "mask" => self.mask.as_ref().and_then(|file| text(&file.path)),
            "init_image" => self.init_image.as_ref().and_then(|picture| text(&picture.path)),
            "fit" => self.fit.and_then(|fit| text(fit.as_str())),
            "strength" => self.strength.map(Value::Number),
            "seed" => Some(Value::Integer(self.seed)),
            "noise" => text(self.noise.as_str()),
            "variation_seed" => self.variation.map(|variation| Value::Integer(variation.seed)),
            "variation_strength" => self.variation.map(|variation| Value::Number(variation.strength)),
            "steps" => Some(Value::Integer(self.steps.into())),
            "guidance_scale" => Some(Value::Number(self.guidance_scale)),
            "scheduler" => text(self.scheduler.as_str()),
            "eta" => self.eta.map(Value::Number),
            "sigmas" => self.sigmas.and_then(|sigmas| text(sigmas.as_str())),
            "spacing" => self.spacing.and_then(|spacing| text(spacing.as_str())),
            "width" => Some(Value::Integer(self.width.into())),
            "height" => Some(Value::Integer(self.height.into())),
            "clip_skip" => Some(Value::Integer(self.clip_skip.into())),
            "dtype" => text(self.dtype.as_str()),
            "safety_checker" => Some(Value::Flag(self.safety_checker)),
            _ => None,
        }
    }

    /// Every setting that applies, with its value, in the order of [`crate::SETTINGS`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, Value)> {
        crate::SETTINGS.iter().filter_map(|setting| Some((setting, self.get(setting.name)?)))
    }

    /// The text whose digest names a cell: everything that can change the pixels, and nothing else.
    ///
    /// One line per setting in a fixed order, each value preceded by its length in bytes so that no text can imitate
    /// another line. Files stand by their content and the model by its fingerprint; a path never appears. What does not
    /// apply has no line.
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
        text("dialect", self.dialect.as_str());
        text("dtype", self.dtype.as_str());
        for Embedding { word, file } in &self.embeddings {
            // A word that the file does not name comes from the file's name.
            text("embedding", word.as_deref().unwrap_or_else(|| stem(&file.path)));
            line(&mut text, "embedding_file", &file.digest);
        }
        if let Some(eta) = self.eta {
            line(&mut text, "eta", &eta);
        }
        if let (Some(picture), Some(fit), Some(strength)) = (&self.init_image, self.fit, self.strength) {
            text("fit", fit.as_str());
            line(&mut text, "init_image", &picture.digest);
            line(&mut text, "strength", &strength);
            if let Some(mask) = &self.mask {
                line(&mut text, "mask", &mask.digest);
            }
        }
        line(&mut text, "guidance_scale", &self.guidance_scale);
        line(&mut text, "height", &self.height);
        for Lora { file, weight } in &self.lora {
            line(&mut text, "lora", &file.digest);
            line(&mut text, "lora_weight", weight);
        }
        line(&mut text, "model", model);
        text("negative_prompt", &self.negative_prompt);
        text("noise", self.noise.as_str());
        line(&mut text, "numerics", &numerics);
        text("prompt", &self.prompt);
        if self.safety_checker {
            text("safety_checker", "true");
        }
        text("scheduler", self.scheduler.as_str());
        line(&mut text, "seed", &self.seed);
        if let Some(sigmas) = self.sigmas {
            text("sigmas", sigmas.as_str());
        }
        if let Some(spacing) = self.spacing {
            text("spacing", spacing.as_str());
        }
        line(&mut text, "steps", &self.steps);
        if let Some(vae) = &self.vae {
            line(&mut text, "vae", &vae.digest);
        }
        if let Some(Variation { seed, strength }) = self.variation {
            line(&mut text, "variation_seed", &seed);
            line(&mut text, "variation_strength", &strength);
        }
        line(&mut text, "width", &self.width);
        form
    }
}

impl std::fmt::Display for Lora {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.path, self.weight)
    }
}

impl std::fmt::Display for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.word {
            Some(word) => write!(f, "{word}={}", self.file.path),
            None => f.write_str(&self.file.path),
        }
    }
}

/// A list as it would be written in the experiment file.
fn shown(list: &[impl ToString]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ")
}

/// A file's name without its folder and ending.
fn stem(path: &str) -> &str {
    std::path::Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or(path)
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
        let digest = Digest::of(b"a file");
        let file =
            |path: &str| NamedFile { path: path.into(), file: std::path::Path::new(path).into(), digest };
        let settings = Settings {
            model: "sketchbook".into(),
            vae: None,
            lora: vec![Lora { file: file("style"), weight: 0.5 }],
            embeddings: vec![Embedding { word: None, file: file("words/hat.pt") }],
            prompt: "é\nseed:1:2".into(),
            negative_prompt: "".into(),
            dialect: Dialect::Plain,
            init_image: Some(file("me.png")),
            mask: None,
            fit: Some(Fit::Crop),
            strength: Some(0.3),
            seed: 7,
            noise: Noise::TorchCpu,
            variation: Some(Variation { seed: 8, strength: 0.25 }),
            steps: 20,
            guidance_scale: 7.0,
            scheduler: Scheduler::EulerA,
            eta: None,
            sigmas: None,
            spacing: Some(Spacing::Linspace),
            width: 64,
            height: 128,
            clip_skip: 0,
            dtype: Dtype::F32,
            safety_checker: false,
        };
        let model = Digest::of(b"a model");
        let expected = format!(
            "clip_skip:1:0\ndialect:5:plain\ndtype:3:f32\nembedding:3:hat\nembedding_file:64:{digest}\nfit:4:crop\n\
             init_image:64:{digest}\nstrength:3:0.3\nguidance_scale:1:7\nheight:3:128\nlora:64:{digest}\n\
             lora_weight:3:0.5\nmodel:64:{model}\nnegative_prompt:0:\nnoise:9:torch-cpu\nnumerics:1:1\nprompt:11:é\n\
             seed:1:2\nscheduler:7:euler_a\nseed:1:7\nspacing:8:linspace\nsteps:2:20\nvariation_seed:1:8\n\
             variation_strength:4:0.25\nwidth:2:64\n"
        );
        assert_eq!(settings.canonical(&model, 1), expected);
        let text_to_image =
            Settings { init_image: None, fit: None, strength: None, variation: None, ..settings };
        assert!(!text_to_image.canonical(&model, 1).contains("strength"));
    }
}
