//! The loop: cells in, pictures out, several cells in one UNet call.

pub(crate) mod denoise_state;
pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod latent_blend;
pub(crate) mod loaded_model;
pub(crate) mod retry_f32;
