//! The table of a training's settings: the keys of `[subject.NAME]`, except for the files that it names.
//!
//! Names are those of diffusers' training scripts where these have one. Defaults that depend on other keys are computed in
//! [`crate::Training`]'s builder in the planner.

use crate::kind::{Fallback, Kind, Literal};
use crate::table::Setting;
use crate::training::{
    LrScheduler, MAX_TRAINING_STEPS, MixedPrecision, TrainingCrop, TrainingLayers, TrainingMethod,
};

/// Every setting of a training, in the order of the documentation. Those without a default have one that depends on others.
pub const TRAINING_SETTINGS: &[Setting] = &[
    text(
        "word",
        "How prompts name the subject, such as `sks man`; in a textual inversion the new word. Required.",
        None,
    ),
    text(
        "class",
        "What the subject is, such as `man`: takes the word's place in prompts without the subject.",
        Some(""),
    ),
    Setting {
        name: "method",
        about: "What is trained.",
        kind: Kind::Choice(TrainingMethod::WORDS),
        fallback: Fallback::Value(Literal::Text("lora")),
        ..Setting::ORDINARY
    },
    whole("steps", "Optimizer steps.", 1, MAX_TRAINING_STEPS, Some(800)),
    whole("batch_size", "Pictures of the subject in a step.", 1, 64, Some(1)),
    number(
        "learning_rate",
        "The learning rate; by default 1e-4 for lora, 5e-4 for textual-inversion, 5e-6 for dreambooth.",
        None,
    ),
    number("text_learning_rate", "That of the text encoder's branches; by default the same.", None),
    Setting {
        name: "lr_scheduler",
        about: "How the learning rate changes after the warm-up.",
        kind: Kind::Choice(LrScheduler::WORDS),
        fallback: Fallback::Value(Literal::Text("constant")),
        ..Setting::ORDINARY
    },
    whole(
        "lr_warmup_steps",
        "Steps in which the learning rate rises from 0.",
        0,
        MAX_TRAINING_STEPS,
        Some(0),
    ),
    number(
        "max_grad_norm",
        "The largest norm of the gradients, which are scaled to it; 0 for no limit.",
        Some(1.0),
    ),
    number("weight_decay", "AdamW's weight decay.", Some(0.01)),
    number("snr_gamma", "The gamma of min-SNR loss weights, usually 5; 0 for none.", Some(0.0)),
    whole("rank", "The rank of a LoRA.", 1, 1024, Some(16)),
    number("alpha", "A LoRA's alpha: its change is scaled by alpha / rank; by default the rank.", None),
    Setting {
        name: "layers",
        about: "The layers of the denoiser that a LoRA changes.",
        kind: Kind::Choice(TrainingLayers::WORDS),
        fallback: Fallback::Value(Literal::Text("attention")),
        ..Setting::ORDINARY
    },
    flag("train_text_encoder", "Whether a LoRA changes the text encoders, too."),
    whole("num_vectors", "The vectors of a textual inversion.", 1, 8, Some(1)),
    text(
        "instance_prompt",
        "The caption of pictures without a `.txt` file; {word} is filled.",
        Some("photo of {word}"),
    ),
    text(
        "class_prompt",
        "The prompt of the class's pictures, which preserve what the model knows of it; {class} is filled; empty for none.",
        None,
    ),
    whole("num_class_images", "How many pictures of the class the model renders.", 1, 10_000, Some(100)),
    number("prior_loss_weight", "The factor of the loss of the class's pictures.", Some(1.0)),
    whole("width", "Width of the pictures in training, in pixels; by default the model's.", 8, 8192, None),
    whole("height", "Height of the pictures in training, in pixels; by default the model's.", 8, 8192, None),
    Setting {
        name: "crop",
        about: "How a picture is cropped to that shape: around the centre, or at random.",
        kind: Kind::Choice(TrainingCrop::WORDS),
        fallback: Fallback::Value(Literal::Text("center")),
        ..Setting::ORDINARY
    },
    flag("random_flip", "Whether pictures are mirrored at random."),
    Setting {
        name: "mixed_precision",
        about: "The precision of the model while a LoRA trains, whose own numbers are in f32; bf16 is for GPUs.",
        kind: Kind::Choice(MixedPrecision::WORDS),
        fallback: Fallback::Value(Literal::Text("no")),
        ..Setting::ORDINARY
    },
    flag(
        "gradient_checkpointing",
        "Whether the backward pass computes what is between the blocks' inputs again: less memory, more time, same weights.",
    ),
    Setting {
        name: "seed",
        about: "The seed of the training.",
        kind: Kind::Seed,
        fallback: Fallback::Value(Literal::Integer(0)),
        ..Setting::ORDINARY
    },
];

const fn text(name: &'static str, about: &'static str, default: Option<&'static str>) -> Setting {
    let fallback = match default {
        Some(text) => Fallback::Value(Literal::Text(text)),
        None => Fallback::Nothing,
    };
    Setting { name, about, kind: Kind::Text, template: true, fallback, ..Setting::ORDINARY }
}

const fn whole(name: &'static str, about: &'static str, min: i64, max: i64, default: Option<i64>) -> Setting {
    let fallback = match default {
        Some(n) => Fallback::Value(Literal::Integer(n)),
        None => Fallback::Nothing,
    };
    Setting { name, about, kind: Kind::Integer { min, max }, fallback, ..Setting::ORDINARY }
}

/// From 0 to a million.
const fn number(name: &'static str, about: &'static str, default: Option<f64>) -> Setting {
    let fallback = match default {
        Some(x) => Fallback::Value(Literal::Number(x)),
        None => Fallback::Nothing,
    };
    Setting { name, about, kind: Kind::Number { min: 0.0, max: 1e6 }, fallback, ..Setting::ORDINARY }
}

const fn flag(name: &'static str, about: &'static str) -> Setting {
    Setting {
        name,
        about,
        kind: Kind::Flag,
        fallback: Fallback::Value(Literal::Flag(false)),
        ..Setting::ORDINARY
    }
}
