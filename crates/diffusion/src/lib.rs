//! The engine: Stable Diffusion's models in diffusers' layout, on candle's tensors.
//!
//! The only crate that names candle. Deliberately not here: experiment files, runs on disk, anything printed.

mod again;
mod cache;
mod clip;
mod conditioning;
mod config;
mod device;
mod embed;
mod engine;
mod error;
mod flight;
pub mod init_image;
mod inpaint;
mod inversion;
mod layers;
mod lora;
mod mask;
mod model;
mod noise;
mod not_yet;
mod ops;
mod pixels;
pub mod prompt;
mod prompts;
mod reading;
mod reference;
mod render_error;
mod resnet;
mod safety_checker;
mod schedulers;
mod small_file;
mod source;
mod text_encoder;
mod tokenizer;
mod unet;
mod vae;
mod weights;

pub use device::{DeviceError, DeviceName};
pub use engine::{Engine, FindModel};
pub use error::ModelError;
pub use inversion::{InversionError, Inversions};
pub use lora::{LoraError, check as check_lora};
pub use mask::{MaskError, check_mask};
pub use model::{Model, card, card_with, files, fingerprint, tokenizer};
pub use reading::{Cut, ReadChunk, Reading, read_prompt};
pub use render_error::RenderError;
pub use safety_checker::SafetyChecker;
pub use schedulers::SchedulerConfig;
pub use small_file::SmallFileError;
pub use source::ModelSource;
pub use text_encoder::TextEncoder;
pub use tokenizer::{Tokenizer, Tokens, Word};
pub use unet::Unet;
pub use vae::Vae;
