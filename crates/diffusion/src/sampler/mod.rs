//! The sampling loop: from cells to pictures, several cells in each denoiser call.

mod batch;
mod control;
mod denoise_state;
pub(crate) mod engine;
mod expected;
mod image_prompt;
mod latent_blend;
pub(crate) mod loaded_model;
mod out_of_memory;
mod queue;
mod retry_f32;
mod sample;
mod step_time;
#[cfg(test)]
mod tests;
