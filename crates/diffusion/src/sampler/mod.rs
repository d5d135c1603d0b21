//! The loop: cells in, pictures out, several cells in one call of the denoiser.

mod batch;
mod denoise_state;
pub(crate) mod engine;
mod latent_blend;
pub(crate) mod loaded_model;
mod out_of_memory;
mod queue;
mod retry_f32;
mod sample;
#[cfg(test)]
mod tests;
