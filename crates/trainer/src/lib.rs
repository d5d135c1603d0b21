//! Fine-tuning: LoRA, textual inversion and DreamBooth for the engine's models, and the files that other tools read.
//!
//! [`train`] takes a [`TrainJob`] and sends [`TrainEvent`]s, checkpoints among them; the caller stores these. The loop is
//! that of diffusers' training scripts, and with their draws it has their losses ([docs/training.md]).
//!
//! Not here: where pictures and weights are stored, rendering, clocks of the caller.
//!
//! [docs/training.md]: https://github.com/maquette-diffusion/maquette/blob/main/docs/training.md

#![forbid(unsafe_code)]

// In reading order.
mod error;
mod event;
mod job;

mod adamw;
mod batch;
mod draws;
mod latents;
mod learning_rate;
mod loss;
mod network;
mod parameters;
mod prompts;
mod train;

mod metadata;
mod output;
mod safetensors_file;
mod state;

pub use error::TrainError;
pub use event::{TrainEvent, Trained};
pub use job::{Picture, TrainJob};
pub use train::train;
