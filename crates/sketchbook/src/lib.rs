//! The bundled model, as bytes: a small latent-diffusion model of drawn portraits in exactly Stable Diffusion's
//! layout, for trying experiments, for tests and for documentation.
//!
//! Beside it, the small network that recognises the sitters of its portraits.
//!
//! The Python code that drew its pictures and trained it is in `training/`. This crate only stores the bytes; the
//! engine loads them like any model folder.

#![forbid(unsafe_code)]

/// The name by which experiments select it.
pub const NAME: &str = "sketchbook";

/// What it is, in one line.
pub const ABOUT: &str = "a small model of drawn portraits, for trying experiments and for tests; its styles are \
     caricatures named after artists, and nothing in it comes from any artist's work or any photograph";

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        /// The files of the model folder: path within the folder, content.
        pub static FILES: &[(&str, &[u8])] =
            &[$(($path, include_bytes!(concat!("../weights/", $path)))),+];
    };
}

files!(
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
);

/// The network behind the metric `sketchbook_likeness`, as safetensors; it is not part of the model. `training/likeness.py`
/// says what it estimates.
pub static LIKENESS: &[u8] = include_bytes!("../weights/likeness/model.safetensors");
