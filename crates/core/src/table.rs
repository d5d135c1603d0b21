//! The table of settings: one row per setting. There is no other list of settings.
//!
//! A row defines the field of [`Settings`], the key of the experiment file with its checks, default and schema, the
//! column of the log, the entry in a picture's texts and in a sheet's footer, and the effect on a cell's name.
//! To add a setting, add a row and the code that uses its field.

use crate::interval::GuidanceInterval;
use crate::kind::{Applies, Effect, Fallback, Kind, Literal, SettingError};
use crate::named_file::{Embedding, Lora, NamedFile};
use crate::options::{Dialect, Dtype, Fit, ModelFamily, Noise, PredictionType, Scheduler, Sigmas, Spacing};
use crate::steps::{named_strength, steps_left_with};
use crate::training::{MAX_TRAINING_STEPS, TrainingMethod};
use std::sync::Arc;

/// One setting: a key of the experiment file, a column of the log, a label on a sheet.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key; diffusers' name if diffusers has one.
    pub name: &'static str,
    /// One sentence for help texts and for the schema.
    pub about: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Whether `{placeholders}` in its text are filled.
    pub template: bool,
    /// Its value if the file does not set it.
    pub fallback: Fallback,
    /// Which pictures it applies to. If it does not apply, it is `None` in [`Settings`], empty in the log, and not part of
    /// a cell's name.
    pub applies: Applies,
    /// How it affects pixels, and therefore the cell's name.
    pub effect: fn(&Settings) -> Effect,
    /// Completes "`strength` 0.8 and 0.85 both …" for different values that have the same `effect`.
    pub same_effect: fn(&Settings) -> String,
    /// The sort key of its line in the canonical form; its name if empty.
    pub order: &'static str,
    /// Whether it is rarely set: sheets omit it at its default.
    pub rare: bool,
    /// The families of models in which it has an effect. In others it is not a part of a cell's name, and `None` where it may
    /// be; a plan notes that, and refuses to sweep it.
    pub families: fn(ModelFamily) -> bool,
}

impl Setting {
    /// The defaults for rows of the table.
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
        families: |_| true,
    };
}

/// Generates the table and [`Settings`]. A row is the help text, the field with its type, and the fields that differ from
/// [`Setting::ORDINARY`].
macro_rules! settings {
    ($(#[doc = $about:literal] $name:ident: $field:ty = { $($key:ident: $value:expr),+ $(,)? };)+) => {
        /// Every setting, in the order of the log's columns.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            about: $about.trim_ascii(),
            $($key: $value,)+
            ..Setting::ORDINARY
        }),+];

        /// All settings of one picture, resolved: no field means "default".
        ///
        /// `None` means *not applicable*: without `init_image` there is no `fit` and no `strength`.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Settings { $(#[doc = $about] pub $name: $field),+ }

        impl Settings {
            /// The value of a setting by name; `None` if it does not apply to this picture.
            ///
            /// Files are given as written.
            pub fn get(&self, name: &str) -> Option<crate::Value> {
                match name {
                    $(stringify!($name) => crate::field::Field::value(&self.$name),)+
                    _ => None,
                }
            }

            /// Reads every setting of a cell.
            pub(crate) fn read(lookup: &crate::lookup::Lookup) -> Result<Settings, SettingError> {
                let mut rows = 0..SETTINGS.len();
                Ok(Settings { $($name: crate::field::Field::read(lookup, rows.next().unwrap_or(0))?),+ })
            }

            /// Writes a setting's lines of the canonical form.
            pub(crate) fn write(&self, name: &str, form: &mut crate::canonical::Form) {
                match name {
                    $(stringify!($name) => crate::field::Field::write(&self.$name, name, form),)+
                    _ => {}
                }
            }
        }
    };
}

settings! {
    /// The model: `sketchbook`, a folder in diffusers layout, or a repository name.
    model: Arc<str> = {
        kind: Kind::Model,
        fallback: Fallback::Value(Literal::Text("sketchbook")),
        effect: |_| Effect::Fingerprint,
    };
    /// A VAE in place of the model's own: a .safetensors file or a folder; empty for none.
    vae: Option<NamedFile> = { kind: Kind::Path };
    /// LoRAs with weights, such as `style:0.8 + hand`; of two weights, the text encoders' is first; `none` for none.
    lora: Vec<Lora> = {
        kind: Kind::Weights,
        template: true,
        // The engine does not open a LoRA of weight 0.
        effect: |_| Effect::NonZeroWeights,
        same_effect: |_| "change nothing at weight 0".to_owned(),
    };
    /// Textual inversions, whose words a prompt may then use; `word=file` names the word.
    embeddings: Vec<Embedding> = {
        kind: Kind::Weights,
        effect: |settings| match settings.dialect {
            Dialect::A1111 if settings.embeddings.iter().any(|it| it.word.is_none()) => Effect::FileWords,
            _ => Effect::Value,
        },
        order: "embedding",
        families: ModelFamily::has_inversions,
    };
    /// The factor of what was trained for the subject: 1 as trained, 0 for no effect.
    lora_weight: Option<f64> = {
        kind: Kind::Number { min: -100.0, max: 100.0 },
        fallback: Fallback::Training(|_| Literal::Number(1.0)),
        applies: Applies::Trained(|method| method != TrainingMethod::TextualInversion),
        // The LoRA's own line has it.
        effect: |_| Effect::None,
    };
    /// After how many of its training's steps the subject's weights are taken; all of them if absent.
    train_steps: Option<u32> = {
        kind: Kind::Integer { min: 1, max: MAX_TRAINING_STEPS },
        fallback: Fallback::Training(|training| Literal::Integer(training.steps.into())),
        applies: Applies::Trained(|_| true),
        // The digest of the weights has it.
        effect: |_| Effect::None,
    };
    /// What the picture should show.
    prompt: Arc<str> = { kind: Kind::Text, template: true, fallback: Fallback::Value(Literal::Text("")) };
    /// What it should not show; used when guidance_scale is above 1.
    negative_prompt: Arc<str> = {
        kind: Kind::Text,
        template: true,
        fallback: Fallback::Value(Literal::Text("")),
        effect: |settings| if settings.guided() { Effect::Value } else { Effect::EmptyText },
        same_effect: |_| "have no effect without guidance".to_owned(),
    };
    /// How prompts are read: as they are, or with A1111's weights, BREAK, AND and switches.
    dialect: Dialect = {
        kind: Kind::Choice(Dialect::WORDS),
        fallback: Fallback::Value(Literal::Text("plain")),
        rare: true,
    };
    /// The reference picture to start from; empty for none.
    init_image: Option<NamedFile> = { kind: Kind::Path, template: true, order: "fit 1" };
    /// Where init_image may change: white is repainted, black stays, grey in between; empty for everywhere.
    mask: Option<NamedFile> = {
        kind: Kind::Path,
        template: true,
        applies: Applies::With("init_image"),
        order: "fit 3",
    };
    /// How init_image is fitted to the target's aspect ratio.
    fit: Option<Fit> = {
        kind: Kind::Choice(Fit::WORDS),
        fallback: Fallback::Value(Literal::Text("crop")),
        applies: Applies::With("init_image"),
    };
    /// How much to change init_image: 0 keeps it, 1 starts from pure noise.
    strength: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 1.0 },
        fallback: Fallback::Value(Literal::Number(0.8)),
        applies: Applies::With("init_image"),
        effect: |settings| settings.strength.map_or(Effect::None, |strength| {
            Effect::Number(named_strength(settings.scheduler, settings.steps, strength))
        }),
        same_effect: |settings| {
            let Settings { scheduler, steps, .. } = *settings;
            let left = settings.strength.map_or(0, |strength| steps_left_with(scheduler, steps, strength));
            format!("leave {left} step{}", if left == 1 { "" } else { "s" })
        },
        order: "fit 2",
    };
    /// A ControlNet: a folder in diffusers layout, a .safetensors file, or a repository name; empty for none.
    controlnet: Option<NamedFile> = {
        kind: Kind::Path,
        template: true,
        effect: |settings| settings.if_controlled(Effect::Value),
        same_effect: |_| "have no effect without a step or at scale 0".to_owned(),
    };
    /// What the ControlNet follows: a picture that already shows edges, depth or a pose, as the ControlNet expects.
    control_image: Option<NamedFile> = {
        kind: Kind::Path,
        template: true,
        applies: Applies::With("controlnet"),
        effect: |settings| settings.if_controlled(Effect::Value),
        same_effect: |_| "have no effect without a step or at scale 0".to_owned(),
    };
    /// How strongly the picture follows control_image; 0 turns the ControlNet off.
    controlnet_conditioning_scale: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 10.0 },
        fallback: Fallback::Value(Literal::Number(1.0)),
        applies: Applies::With("controlnet"),
        effect: |settings| settings.if_controlled(Effect::Value),
        same_effect: |_| "have no effect without a step".to_owned(),
    };
    /// The fraction of the steps after which the ControlNet begins.
    control_guidance_start: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 1.0 },
        fallback: Fallback::Value(Literal::Number(0.0)),
        applies: Applies::With("controlnet"),
        effect: |settings| match settings.control_calls().start {
            0 => Effect::None,
            start => settings.if_controlled(Effect::Number(start as f64)),
        },
        same_effect: |settings| settings.control_text(),
        rare: true,
    };
    /// The fraction of the steps after which the ControlNet ends.
    control_guidance_end: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 1.0 },
        fallback: Fallback::Value(Literal::Number(1.0)),
        applies: Applies::With("controlnet"),
        effect: |settings| match settings.control_calls().end {
            end if end == settings.unet_calls() => Effect::None,
            end => settings.if_controlled(Effect::Number(end as f64)),
        },
        same_effect: |settings| settings.control_text(),
        rare: true,
    };
    /// An IP-Adapter, with which a picture is a part of the prompt: a .safetensors file; empty for none.
    ip_adapter: Option<NamedFile> = {
        kind: Kind::Path,
        template: true,
        effect: |settings| settings.if_image_shown(Effect::Value),
        same_effect: |_| "have no effect at scale 0".to_owned(),
    };
    /// The picture that the IP-Adapter shows to the model: a face or a style.
    ip_adapter_image: Option<NamedFile> = {
        kind: Kind::Path,
        template: true,
        applies: Applies::With("ip_adapter"),
        effect: |settings| settings.if_image_shown(Effect::Value),
        same_effect: |_| "have no effect at scale 0".to_owned(),
    };
    /// How strongly the picture acts: 1 as trained, 0 turns the IP-Adapter off.
    ip_adapter_scale: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 10.0 },
        fallback: Fallback::Value(Literal::Number(1.0)),
        applies: Applies::With("ip_adapter"),
        effect: |settings| settings.if_image_shown(Effect::Value),
    };
    /// The folder of the IP-Adapter's image encoder; empty for the one that lies near its file.
    ip_adapter_image_encoder: Option<NamedFile> = {
        kind: Kind::Path,
        applies: Applies::With("ip_adapter"),
        effect: |settings| settings.if_image_shown(Effect::Value),
        same_effect: |_| "have the same content, or no effect at scale 0".to_owned(),
        rare: true,
    };
    /// The seed of the noise; it gives the same noise as in diffusers on the CPU.
    seed: u64 = {
        kind: Kind::Seed,
        fallback: Fallback::Value(Literal::Integer(0)),
        effect: |settings| Effect::Seed(settings.noise.seed_bits(settings.seed)),
        same_effect: |_| "have the same low 32 bits, the only ones that torch's CPU generator reads".to_owned(),
    };
    /// The random generator: torch's on the CPU, the same in half precision, or torch's on CUDA.
    noise: Noise = {
        kind: Kind::Choice(Noise::WORDS),
        fallback: Fallback::Value(Literal::Text("torch-cpu")),
        rare: true,
    };
    /// A second seed; variation_strength moves the noise towards the noise of this seed.
    variation_seed: Option<u64> = {
        kind: Kind::Seed,
        fallback: Fallback::Value(Literal::Integer(0)),
        applies: Applies::NonZero("variation_strength"),
        effect: |settings| settings.variation_seed.map_or(Effect::None, |seed| {
            Effect::Seed(settings.noise.seed_bits(seed))
        }),
        same_effect: |_| "have the same low 32 bits, the only ones that torch's CPU generator reads".to_owned(),
        rare: true,
    };
    /// How far to move the noise towards that of variation_seed: 0 uses seed alone, 1 variation_seed alone.
    variation_strength: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 1.0 },
        fallback: Fallback::Value(Literal::Number(0.0)),
        applies: Applies::NonZero("variation_strength"),
        rare: true,
    };
    /// Denoising steps of the whole schedule (num_inference_steps).
    steps: u32 = {
        kind: Kind::Integer { min: 1, max: 1000 },
        fallback: Fallback::ModelOr(|card| Some(Literal::Integer(card.steps?.into())), Literal::Integer(50)),
    };
    /// How strongly to follow the prompt; 1 or less means no guidance.
    guidance_scale: f64 = {
        kind: Kind::Number { min: 0.0, max: 100.0 },
        fallback: Fallback::ModelOr(|card| card.guidance_scale.map(Literal::Number), Literal::Number(7.5)),
        effect: |settings| match settings.guided() && !settings.interval_is_empty() {
            true => Effect::Value,
            false => Effect::Number(1.0),
        },
        same_effect: |_| "turn guidance off".to_owned(),
    };
    /// Guidance by a negative prompt for models that take guidance_scale as an input or are distilled, such as FLUX.1; 1 or less means none.
    true_cfg_scale: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 100.0 },
        fallback: Fallback::Value(Literal::Number(1.0)),
        applies: Applies::Embedded,
        effect: Settings::true_cfg_scale_effect,
        same_effect: |_| "turn guidance off".to_owned(),
        rare: true,
    };
    /// The part of the steps that has guidance, as fractions of them: `0.1-0.8` leaves out the first tenth and the last fifth.
    guidance_interval: Option<GuidanceInterval> = {
        kind: Kind::Interval,
        fallback: Fallback::Value(Literal::Text("0-1")),
        applies: Applies::Guided,
        effect: Settings::guidance_interval_effect,
        same_effect: |settings| match settings.guided_calls().is_empty() {
            true => "guide no step".to_owned(),
            false => "guide the same steps".to_owned(),
        },
        rare: true,
    };
    /// How far to scale guided predictions back to the contrast of unguided ones; zero-SNR models need about 0.7.
    guidance_rescale: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 1.0 },
        fallback: Fallback::Value(Literal::Number(0.0)),
        applies: Applies::Guided,
        effect: |settings| match settings.guidance_rescale == Some(0.0) || !settings.guided() {
            true => Effect::None,
            false => Effect::Value,
        },
        same_effect: |_| "have no effect without guidance".to_owned(),
        rare: true,
    };
    /// DeepCache: the whole UNet is computed in every step whose number is a multiple of it (cache_interval); 1 for every step.
    deepcache_interval: Option<u32> = {
        kind: Kind::Integer { min: 1, max: 1000 },
        fallback: Fallback::Value(Literal::Integer(1)),
        effect: Settings::deepcache_interval_effect,
        same_effect: |_| "compute the whole UNet in the same steps".to_owned(),
        rare: true,
        families: ModelFamily::has_unet,
    };
    /// The skip connection up to which the other steps compute the UNet (cache_branch_id); 0 is the fastest.
    deepcache_branch_id: Option<u32> = {
        kind: Kind::Integer { min: 0, max: 99 },
        fallback: Fallback::Value(Literal::Integer(0)),
        applies: Applies::AboveOne("deepcache_interval"),
        effect: |settings| if settings.named_deepcache_interval() > 1 { Effect::Value } else { Effect::None },
        same_effect: |_| "have no effect where every step computes the whole UNet".to_owned(),
        rare: true,
        families: ModelFamily::has_unet,
    };
    /// The rule that turns predicted noise into the next latents.
    scheduler: Scheduler = {
        kind: Kind::Choice(Scheduler::WORDS),
        fallback: Fallback::Model(|card| Some(Literal::Text(card.scheduler?.as_str()))),
    };
    /// How much fresh noise ddim adds at each step: 0 for none, 1 for as much as ddpm.
    eta: Option<f64> = {
        kind: Kind::Number { min: 0.0, max: 1.0 },
        fallback: Fallback::Value(Literal::Number(0.0)),
        applies: Applies::Schedulers(|scheduler| scheduler == Scheduler::Ddim),
        rare: true,
    };
    /// How noise levels are spaced, for euler, heun, dpmpp_2m and unipc.
    sigmas: Option<Sigmas> = {
        kind: Kind::Choice(Sigmas::WORDS),
        fallback: Fallback::Model(|card| Some(Literal::Text(card.sigmas.unwrap_or(Sigmas::Normal).as_str()))),
        applies: Applies::Schedulers(Scheduler::has_sigmas),
    };
    /// How timesteps are chosen (timestep_spacing); the scheduler's default if absent.
    spacing: Option<Spacing> = {
        kind: Kind::Choice(Spacing::WORDS),
        fallback: Fallback::Scheduler(|card, scheduler| {
            Some(Literal::Text(card.spacing.or(scheduler.own_spacing())?.as_str()))
        }),
        applies: Applies::Schedulers(|scheduler| scheduler.own_spacing().is_some()),
    };
    /// What the UNet predicts: noise, velocity or the clean latents; the model's own if absent.
    prediction_type: Option<PredictionType> = {
        kind: Kind::Choice(PredictionType::WORDS),
        fallback: Fallback::Model(|card| Some(Literal::Text(card.prediction_type?.as_str()))),
        applies: Applies::Known,
        effect: |_| Effect::UnlessOwn,
        rare: true,
        families: |family| !family.is_flow(),
    };
    /// Whether betas are rescaled so that the last timestep is pure noise (rescale_betas_zero_snr); the model's own if absent.
    zero_snr: Option<bool> = {
        kind: Kind::Flag,
        fallback: Fallback::Model(|card| card.zero_snr.map(Literal::Flag)),
        applies: Applies::KnownWith(Scheduler::has_zero_snr),
        effect: |_| Effect::UnlessOwn,
        rare: true,
        families: |family| !family.is_flow(),
    };
    /// How far schedulers of flow move their steps towards the noise: 1 for evenly; absent for what the model computes from the size.
    shift: Option<f64> = {
        kind: Kind::Number { min: 0.01, max: 100.0 },
        fallback: Fallback::Model(|card| card.shift.map(Literal::Number)),
        applies: Applies::KnownWith(Scheduler::is_flow),
        families: ModelFamily::is_flow,
    };
    /// Width of the picture in pixels.
    width: u32 = {
        kind: Kind::Integer { min: 8, max: 8192 },
        fallback: Fallback::Model(|card| Some(Literal::Integer(card.size.0.into()))),
    };
    /// Height of the picture in pixels.
    height: u32 = {
        kind: Kind::Integer { min: 8, max: 8192 },
        fallback: Fallback::Model(|card| Some(Literal::Integer(card.size.1.into()))),
    };
    /// How many of the text encoder's last layers to leave out.
    clip_skip: u32 = {
        kind: Kind::Integer { min: 0, max: 64 },
        fallback: Fallback::Value(Literal::Integer(0)),
        families: ModelFamily::has_clip,
    };
    /// Precision of the weights; by default f32 on the CPU and f16 on a GPU.
    dtype: Dtype = {
        kind: Kind::Choice(&["auto", "f32", "f16", "bf16"]),
        fallback: Fallback::Value(Literal::Text("auto")),
    };
    /// Whether the model's safety checker checks the picture, which is blacked out if flagged.
    safety_checker: bool = {
        kind: Kind::Flag,
        fallback: Fallback::Value(Literal::Flag(false)),
        effect: |settings| if settings.safety_checker { Effect::SafetyChecker } else { Effect::None },
        rare: true,
    };
}
