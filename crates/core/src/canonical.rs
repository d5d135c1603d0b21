//! The canonical form of settings: the text whose digest names a cell.
//!
//! One line per setting in a fixed order, each value preceded by its length in bytes so that no text can imitate another
//! line. Files are represented by the digest of their content and the model by its fingerprint; paths never appear. A
//! setting that does not affect pixels has no line or a normalised value, by the rules of the table
//! ([`crate::Setting::effect`]).

use crate::kind::{Effect, Fallback};
use crate::table::Setting;
use crate::{ModelCard, SETTINGS, Settings, Value};
use std::fmt::{Display, Write};
use std::ops::Range;
use std::sync::LazyLock;

/// Version of the rules by which cells are named.
///
/// Version 2 names a cell by its effect: a strength by the steps that it leaves, for example. Version 1 named it by the
/// settings as written. A name of version 2 is the name that version 1 gave to a cell with the same pixels, so pictures of
/// older runs are still found. Version 3 has one line more for textual inversions without a given word in A1111's dialect,
/// whose words are no longer those in the files; all other names are those of version 2. A plan stores its version, so that its cells keep the names that are in its log.
pub const NAMING: u32 = 3;

/// The settings in the order of their lines.
static LINES: LazyLock<Vec<&Setting>> = LazyLock::new(|| {
    let mut lines: Vec<&Setting> = SETTINGS.iter().collect();
    lines.sort_by_key(|setting| order(setting));
    lines
});

fn order(setting: &Setting) -> &'static str {
    if setting.order.is_empty() { setting.name } else { setting.order }
}

/// The canonical form while it is written.
pub(crate) struct Form {
    text: String,
    /// A buffer reused for all values that are not text: there may be millions of cells.
    buffer: String,
    naming: u32,
}

impl Form {
    pub fn new(naming: u32) -> Form {
        Form { text: String::with_capacity(1024), buffer: String::with_capacity(64), naming }
    }

    /// What has been written.
    pub fn written(&self) -> &str {
        &self.text
    }

    pub fn clear(&mut self) {
        self.text.clear();
    }

    /// Whether LoRAs of weight 0 have lines.
    pub fn has_zero_weights(&self) -> bool {
        self.naming == 1
    }

    /// A line of text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let _ = write!(self.text, ":{}:", value.len());
        self.text.push_str(value);
        self.text.push('\n');
    }

    /// A line of any other value.
    pub fn line(&mut self, name: &str, value: &dyn Display) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let _ = write!(buffer, "{value}");
        self.text(name, &buffer);
        self.buffer = buffer;
    }
}

impl Settings {
    /// The text whose digest names a cell: everything that can change the pixels, and nothing else. `naming` is a
    /// version of the rules, see [`NAMING`].
    pub fn canonical(&self, model: &ModelCard, numerics: u32, naming: u32) -> String {
        self.form(None, model, numerics, naming).0.text
    }

    /// What the canonical form has before and after the lines of one setting.
    pub(crate) fn canonical_around(
        &self,
        setting: &Setting,
        model: &ModelCard,
        numerics: u32,
        naming: u32,
    ) -> [String; 2] {
        let (Form { text, .. }, lines) = self.form(Some(setting.name), model, numerics, naming);
        [text[..lines.start].to_owned(), text[lines.end..].to_owned()]
    }

    /// The canonical form, and where in it the lines of the setting `of` are.
    fn form(&self, of: Option<&str>, model: &ModelCard, numerics: u32, naming: u32) -> (Form, Range<usize>) {
        let (mut form, mut lines) = (Form::new(naming), 0..0);
        // Every guidance scale has an effect of its own then, but none on which prompts are used.
        let embedded = model
            .guidance_embedding
            .then(|| Settings { guidance_scale: self.cfg_scale(true), ..self.clone() });
        let mut numerics = Some(numerics);
        for setting in LINES.iter() {
            if order(setting) > "numerics"
                && let Some(version) = numerics.take()
            {
                form.line("numerics", &version);
                if model.reading > 1 {
                    form.line("reading", &model.reading);
                }
            }
            let start = form.text.len();
            self.write_lines(setting, model, embedded.as_ref(), &mut form);
            if of == Some(setting.name) {
                lines = start..form.text.len();
            }
        }
        (form, lines)
    }

    /// Writes the lines of one setting. `embedded`: these settings with the scale of classifier-free guidance as the guidance
    /// scale, if the model embeds that.
    pub(crate) fn write_lines(
        &self,
        setting: &Setting,
        model: &ModelCard,
        embedded: Option<&Settings>,
        form: &mut Form,
    ) {
        let (name, naming) = (setting.name, form.naming);
        if !(setting.families)(model.family) {
            return;
        }
        let effect = match embedded {
            Some(_) if name == "guidance_scale" => Effect::Value,
            Some(embedded) => (setting.effect)(embedded),
            None => (setting.effect)(self),
        };
        match effect {
            Effect::None => {}
            Effect::UnlessOwn if self.get(name) == own(setting, model) => {}
            Effect::Fingerprint => form.line(name, &model.fingerprint),
            Effect::SafetyChecker => match &model.safety_checker_weights {
                Some(weights) if naming > 1 => form.line(name, weights),
                _ => self.write(name, form),
            },
            Effect::FileWords => {
                self.write(name, form);
                if naming > 2 {
                    form.text("embedding_words", "names of files");
                }
            }
            Effect::Value | Effect::UnlessOwn | Effect::NonZeroWeights => self.write(name, form),
            _ if naming == 1 => self.write(name, form),
            Effect::Number(number) => form.line(name, &number),
            Effect::Calls(start, stop) => form.line(name, &format_args!("{start}-{stop}")),
            Effect::Seed(seed) => form.line(name, &seed),
            Effect::EmptyText => form.text(name, ""),
        }
    }
}

/// A model's own value of a setting.
fn own(setting: &Setting, model: &ModelCard) -> Option<Value> {
    match setting.fallback {
        Fallback::Model(of) => of(model).map(Value::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named_file::{Embedding, Lora, NamedFile};
    use crate::{Dialect, Digest, Dtype, Fit, Noise, PredictionType, Scheduler, Spacing};

    fn file(path: &str) -> NamedFile {
        NamedFile {
            path: path.into(),
            file: std::path::Path::new(path).into(),
            digest: Digest::of(b"a file"),
        }
    }

    fn settings() -> Settings {
        Settings {
            shift: None,
            model: "sketchbook".into(),
            vae: None,
            lora: vec![Lora::new(file("style"), 0.5)],
            lora_weight: None,
            train_steps: None,
            embeddings: vec![Embedding { word: None, file: file("words/hat.pt") }],
            prompt: "é\nseed:1:2".into(),
            negative_prompt: "".into(),
            dialect: Dialect::Plain,
            init_image: Some(file("me.png")),
            mask: Some(file("mask.png")),
            fit: Some(Fit::Crop),
            strength: Some(0.3),
            controlnet: None,
            control_image: None,
            controlnet_conditioning_scale: None,
            control_guidance_start: None,
            control_guidance_end: None,
            ip_adapter: None,
            ip_adapter_image: None,
            ip_adapter_scale: None,
            ip_adapter_image_encoder: None,
            seed: 7,
            noise: Noise::TorchCpu,
            variation_seed: Some(8),
            variation_strength: Some(0.25),
            steps: 20,
            guidance_scale: 7.0,
            true_cfg_scale: None,
            guidance_interval: "0-1".parse().ok(),
            guidance_rescale: Some(0.0),
            deepcache_interval: Some(1),
            deepcache_branch_id: None,
            scheduler: Scheduler::EulerA,
            eta: None,
            sigmas: None,
            spacing: Some(Spacing::Linspace),
            prediction_type: Some(PredictionType::Epsilon),
            zero_snr: Some(false),
            width: 64,
            height: 128,
            clip_skip: 0,
            dtype: Dtype::F32,
            safety_checker: false,
        }
    }

    fn card() -> ModelCard {
        ModelCard {
            fingerprint: Digest::of(b"a model"),
            size: (64, 64),
            multiple_of: 8,
            reading: 1,
            scheduler: Some(Scheduler::Ddim),
            scheduler_class: None,
            spacing: None,
            sigmas: None,
            prediction_type: Some(PredictionType::Epsilon),
            zero_snr: Some(false),
            inpainting: false,
            guidance_embedding: false,
            safety_checker: true,
            safety_checker_weights: None,
            family: crate::ModelFamily::StableDiffusion,
            shift: None,
            steps: None,
            guidance_scale: None,
        }
    }

    #[test]
    fn the_weights_of_an_enabled_safety_checker_are_part_of_the_name() {
        let named = |enabled: bool, weights: Option<&[u8]>, naming: u32| {
            let card = ModelCard { safety_checker_weights: weights.map(Digest::of), ..card() };
            Settings { safety_checker: enabled, ..settings() }.canonical(&card, 1, naming)
        };
        assert_ne!(named(true, Some(b"one"), 2), named(true, Some(b"other"), 2));
        assert_eq!(named(false, Some(b"one"), 2), named(false, Some(b"other"), 2));
        assert_ne!(named(true, Some(b"one"), 2), named(false, Some(b"one"), 2));
        assert_eq!(named(true, Some(b"one"), 1), named(true, Some(b"other"), 1), "names of older runs stay");
    }

    #[test]
    fn the_canonical_form_is_fixed() {
        // A change here renames all existing cells: it needs a new version and a reason.
        let (digest, model) = (Digest::of(b"a file"), Digest::of(b"a model"));
        let card = card();
        let expected = format!(
            "clip_skip:1:0\ndialect:5:plain\ndtype:3:f32\nembedding:3:hat\nembedding_file:64:{digest}\nfit:4:crop\n\
             init_image:64:{digest}\nstrength:3:0.3\nmask:64:{digest}\nguidance_scale:1:7\nheight:3:128\n\
             lora:64:{digest}\nlora_weight:3:0.5\nmodel:64:{model}\nnegative_prompt:0:\nnoise:9:torch-cpu\n\
             numerics:1:1\nprompt:11:é\nseed:1:2\nscheduler:7:euler_a\nseed:1:7\nspacing:8:linspace\nsteps:2:20\n\
             variation_seed:1:8\nvariation_strength:4:0.25\nwidth:2:64\n"
        );
        assert_eq!(settings().canonical(&card, 1, 1), expected);
        assert_eq!(settings().canonical(&card, 1, 2), expected);
        let text_to_image =
            Settings { init_image: None, mask: None, fit: None, strength: None, ..settings() };
        assert!(!text_to_image.canonical(&card, 1, 2).contains("strength:3"));
    }

    #[test]
    fn the_models_own_values_and_its_first_reading_have_no_lines() {
        let named = |settings: &Settings, card: &ModelCard| settings.canonical(card, 1, NAMING);
        let (own, known) = (settings(), card());
        let velocity = Settings { prediction_type: Some(PredictionType::VPrediction), ..settings() };
        let zero = Settings { zero_snr: Some(true), ..settings() };
        let older = Settings { prediction_type: None, zero_snr: None, ..settings() };
        let before = ModelCard { prediction_type: None, zero_snr: None, ..card() };
        assert_eq!(named(&own, &known), named(&older, &before));
        assert_ne!(named(&own, &known), named(&velocity, &known));
        assert_ne!(named(&own, &known), named(&zero, &known));
        let other = ModelCard { prediction_type: Some(PredictionType::VPrediction), ..card() };
        assert_eq!(
            named(&velocity, &other),
            named(&own, &known),
            "its fingerprint or reading tells them apart"
        );
        assert_ne!(named(&own, &ModelCard { reading: 2, ..card() }), named(&own, &known));
    }

    #[test]
    fn words_from_file_names_are_part_of_the_name() {
        let a1111 = Settings { dialect: Dialect::A1111, ..settings() };
        let named = |settings: &Settings, naming| settings.canonical(&card(), 1, naming);
        assert!(named(&a1111, 3).contains("embedding_words"));
        assert!(!named(&a1111, 2).contains("embedding_words"), "names of older runs stay");
        assert_eq!(named(&settings(), 3), named(&settings(), 2));
        let embeddings = vec![Embedding { word: Some("hat".into()), file: file("words/hat.pt") }];
        let given = Settings { embeddings, ..a1111 };
        assert_eq!(named(&given, 3), named(&given, 2));
    }

    #[test]
    fn settings_with_one_effect_have_one_name() {
        type Change = fn(&mut Settings);
        let name = |changes: &[Change], naming: u32| {
            let mut settings = settings();
            changes.iter().for_each(|change| change(&mut settings));
            settings.canonical(&card(), 1, naming)
        };
        let unguided: Change = |s| (s.guidance_scale, s.guidance_rescale) = (1.0, None);
        let a1111: Change = |s| (s.dialect, s.prompt) = (Dialect::A1111, "a cat".into());
        let cuda: Change = |s| s.noise = Noise::TorchCuda;
        let none: Change = |s| s.guidance_interval = "0.5-0.5".parse().ok();
        let same: &[(&[Change], &[Change])] = &[
            (&[], &[|s| s.strength = Some(0.34)]),
            (&[], &[|s| s.seed += 1 << 32]),
            (&[], &[|s| s.variation_seed = Some(8 + (1 << 40))]),
            (&[], &[|s| s.lora.push(Lora::new(file("other"), 0.0))]),
            (&[unguided], &[unguided, |s| s.guidance_scale = 0.5]),
            (&[unguided], &[none]),
            (&[none], &[none, |s| s.negative_prompt = "blurry".into()]),
            (&[unguided], &[unguided, |s| s.negative_prompt = "blurry".into()]),
            (&[unguided, a1111], &[unguided, a1111, |s| s.negative_prompt = "blurry".into()]),
        ];
        for (which, (one, other)) in same.iter().enumerate() {
            assert_eq!(name(one, 2), name(other, 2), "{which}");
            assert_ne!(name(one, 1), name(other, 1), "{which}: names of older runs stay");
        }
        let composed: Change = |s| s.prompt = "a cat AND a dog".into();
        let weighted: Change = |s| s.prompt = "a cat :1.2".into();
        let deepcache: Change = |s| (s.deepcache_interval, s.deepcache_branch_id) = (Some(3), Some(0));
        let different: &[(&[Change], &[Change])] = &[
            (&[], &[|s| s.strength = Some(0.35)]),
            (&[|s| s.strength = Some(1.0)], &[|s| s.strength = Some(0.9999)]),
            (&[cuda], &[cuda, |s| s.seed += 1 << 32]),
            (&[], &[|s| s.guidance_rescale = Some(0.7)]),
            (&[], &[deepcache]),
            (&[deepcache], &[deepcache, |s| s.deepcache_branch_id = Some(1)]),
            (&[], &[|s| s.guidance_interval = "0.2-0.8".parse().ok()]),
            (&[], &[|s| s.negative_prompt = "blurry".into()]),
            (&[unguided, a1111, composed], &[unguided, a1111, composed, |s| s.negative_prompt = "x".into()]),
            (&[unguided, a1111, weighted], &[unguided, a1111, weighted, |s| s.guidance_scale = 0.5]),
        ];
        for (which, (one, other)) in different.iter().enumerate() {
            assert_ne!(name(one, 2), name(other, 2), "{which}");
        }
    }

    #[test]
    fn a_model_that_embeds_the_guidance_scale_names_every_scale_and_no_negative_prompt() {
        let name = |guidance_embedding, guidance_scale, negative_prompt: &str| {
            let card = ModelCard { guidance_embedding, ..card() };
            let negative_prompt = negative_prompt.into();
            Settings { guidance_scale, negative_prompt, guidance_rescale: None, ..settings() }
                .canonical(&card, 1, NAMING)
        };
        assert_ne!(name(true, 1.0, ""), name(true, 0.5, ""));
        assert_ne!(name(true, 1.0, ""), name(true, 8.0, ""));
        assert_eq!(name(true, 8.0, "blurry"), name(true, 8.0, ""));
        assert_eq!(name(false, 1.0, ""), name(false, 0.5, ""));
        assert_ne!(name(false, 8.0, "blurry"), name(false, 8.0, ""));
    }

    #[test]
    fn another_scale_has_an_effect_on_a_model_that_embeds_the_guidance_scale() {
        let name = |true_cfg_scale, negative_prompt: &str| {
            let card = ModelCard { guidance_embedding: true, ..card() };
            let negative_prompt = negative_prompt.into();
            Settings { true_cfg_scale, negative_prompt, ..settings() }.canonical(&card, 1, NAMING)
        };
        // Cells from before the setting keep their names.
        assert_eq!(name(Some(1.0), ""), name(None, ""));
        assert_eq!(name(Some(0.5), "blurry"), name(None, ""));
        assert_ne!(name(Some(2.0), ""), name(None, ""));
        assert_ne!(name(Some(2.0), "blurry"), name(Some(2.0), ""));
        assert_ne!(name(Some(2.0), ""), name(Some(3.0), ""));
    }
}
