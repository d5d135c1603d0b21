//! The bundled model, as bytes: a small latent-diffusion model of drawn portraits in exactly Stable Diffusion's
//! layout, for trying experiments, for tests and for documentation.
//!
//! The Python that drew its pictures and trained it lies beside the weights, in `training/`. Nothing here knows what
//! the bytes mean; the engine loads them as it loads any model folder.

/// The name by which an experiment asks for it.
pub const NAME: &str = "sketchbook";

/// What it is, in a line.
pub const ABOUT: &str = "a small model of drawn portraits, for trying experiments and for tests; its manners are \
     caricatures named after artists, and nothing in it comes from any artist's work or any photograph";

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        /// The files of the model folder: path within the folder, content.
        pub const FILES: &[(&str, &[u8])] =
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
